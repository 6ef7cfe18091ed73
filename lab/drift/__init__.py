"""How the types of an official SDK differ from the schemas: a reader for each side, and one comparison.

`type_model` and the first half of `comparison` know no API: they compare any two descriptions. `schema_types`,
`python_sdk` and `typescript_sdk` each read one description. `comparison` also knows which differences are known,
and why; `proposal` writes a revision that follows the SDK. Nothing here imports or runs an SDK.
"""
