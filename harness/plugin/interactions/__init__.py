"""The fixtures that know this API: chains, lifecycles, clients, drops."""

CASSETTE = "interactions_cassette"
"""The fixture of recordings, and its marker."""

TORTURE = "interactions_torture"
"""The fixture that makes one test for each case if its marker stands there."""

PARAMETRIZED = (
    "interactions_lifecycle", "interactions_dropped_stream", "interactions_incident", "interactions_schedule",
)  # fmt: skip
"""The fixtures that make one test for each of their cases."""
