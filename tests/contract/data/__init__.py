"""Tests of `harness.contract.data`."""
