"""Claims about `harness.runner.gateway`."""
