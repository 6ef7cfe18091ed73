"""Tests of `harness.runner`."""
