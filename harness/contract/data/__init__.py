"""What the API sends, as values: decoded, assembled and compared. Layer 1."""
