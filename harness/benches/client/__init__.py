"""A client reads a stream that drops at given places, and must return the whole result.

A `Case` describes the faults of a stream, a `StreamSource` serves it, a `ClientAttempt` is one client's attempt to
read it. Under `torture` the client is a command in any language, which runs once for each case. The `ClientModel`
of an API defines its modes and cases.
"""
