"""Tests of `harness.runner.fuzz`, of `harness fuzz`, and of the project by its own strategies."""
