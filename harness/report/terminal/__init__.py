"""What a person watches during a run and reads at its end. Layer 6."""
