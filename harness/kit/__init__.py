"""What checks and mutants are made of, for any API. Layer 1."""
