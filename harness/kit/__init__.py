"""What a check is made of, for any API. Layer 1."""
