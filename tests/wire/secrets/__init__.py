"""Tests of `harness.wire.secrets`."""
