"""Tests of `harness.cli.commands`."""
