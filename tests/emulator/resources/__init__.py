"""Tests of the neighbouring resources; they call `Neighbours` directly, without the emulator around it."""
