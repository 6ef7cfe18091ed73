"""Tests of `harness.transport.client`."""
