"""Tests of `harness.contract.transcript`."""
