"""What several exchanges must agree on: one incremental judge, and what it knows of each interaction. Layer 1."""
