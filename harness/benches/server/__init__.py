"""A server at a URL, the embedded emulator or a mutant."""
