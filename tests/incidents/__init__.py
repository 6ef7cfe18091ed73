"""The library of incidents."""
