"""The fixtures that know this API: chains, lifecycles, clients, drops. Layer 7."""

CASSETTE = "interactions_cassette"
"""The fixture of recordings, and its marker."""

PARAMETRIZED = (
    "interactions_lifecycle", "interactions_dropped_stream", "interactions_incident", "interactions_schedule",
)  # fmt: skip
"""The fixtures that make one test for each of their cases."""
