"""Claims about `harness.runner.record`."""
