"""Tests of the answers that the emulator makes up."""
