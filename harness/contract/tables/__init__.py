"""The tables of the API."""
