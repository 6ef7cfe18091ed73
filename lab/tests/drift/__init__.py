"""Tests of `lab.drift`."""
