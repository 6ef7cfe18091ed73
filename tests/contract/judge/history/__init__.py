"""Tests of `harness.contract.judge`."""
