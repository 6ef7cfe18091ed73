"""Tests of `harness.transport.http1`."""
