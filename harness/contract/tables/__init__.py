"""What the API allows, as tables. Layer 1."""
