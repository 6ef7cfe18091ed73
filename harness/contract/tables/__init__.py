"""The tables of the API. Layer 1."""
