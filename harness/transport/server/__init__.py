"""A socket server whose answers end to the byte as told. Layer 3."""
