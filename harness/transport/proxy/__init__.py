"""A server in front of another that can break what passes. Layer 3."""
