"""Tests of `harness.resume`."""
