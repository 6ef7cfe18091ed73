"""The values that the API sends: decoded, assembled and compared."""
