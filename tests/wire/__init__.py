"""Tests of the values and codecs in `harness.wire`."""
