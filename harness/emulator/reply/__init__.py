"""What the model says, as steps. Layer 2."""
