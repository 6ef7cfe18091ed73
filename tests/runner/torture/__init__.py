"""Claims about `harness.runner.torture`."""
