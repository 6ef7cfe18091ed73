"""The fixtures that know this API: chains, lifecycles, clients, drops. Layer 7."""

CASSETTE = "interactions_cassette"
"""The fixture of recordings, and its marker."""
