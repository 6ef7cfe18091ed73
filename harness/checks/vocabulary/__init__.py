"""The words that exercises and judges are written in. Layer 2."""
