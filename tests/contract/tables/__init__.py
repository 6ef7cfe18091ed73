"""Tests of `harness.contract.tables`."""
