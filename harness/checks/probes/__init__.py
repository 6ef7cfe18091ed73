"""The questions that tell what a target can do. Layer 2."""
