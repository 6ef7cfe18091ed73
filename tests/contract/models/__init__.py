"""Tests of `harness.contract.models`."""
