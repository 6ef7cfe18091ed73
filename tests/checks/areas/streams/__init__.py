"""Tests of checks of streams, their cursors and their resumption."""
