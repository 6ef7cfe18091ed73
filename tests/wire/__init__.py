"""Tests of the wire's values and codecs."""
