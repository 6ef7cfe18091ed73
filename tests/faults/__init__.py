"""Tests of fault plans; `streams` has the small streams they are applied to."""
