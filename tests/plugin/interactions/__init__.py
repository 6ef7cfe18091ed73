"""Tests of `harness.plugin.interactions`."""
