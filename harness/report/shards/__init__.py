"""What the shards of a run hand to `harness merge`, and how their reports become those of one run. Layer 6."""
