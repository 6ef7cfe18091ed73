"""Claims about `harness.runner.drops`."""
