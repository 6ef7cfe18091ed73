"""Tests of `lab.clients`."""
