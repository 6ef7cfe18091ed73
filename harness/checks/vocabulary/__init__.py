"""The words that exercises and judges are written in."""
