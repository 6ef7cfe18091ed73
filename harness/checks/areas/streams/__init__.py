"""Checks of streams, their cursors and their resumption."""
