"""Tests of the shared look of our pages."""
