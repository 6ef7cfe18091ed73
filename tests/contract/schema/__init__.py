"""Tests of `harness.contract.schema`."""
