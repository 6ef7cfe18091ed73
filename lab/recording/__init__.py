"""Records the scenarios of the library from a server."""
