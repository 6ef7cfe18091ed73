"""Tests of `harness.engine.search`, of `harness fuzz`, and of the project by its own strategies."""
