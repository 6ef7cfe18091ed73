"""Tests of `harness.plugin.virtual_time`."""
