"""One module for each command. Layer 8."""
