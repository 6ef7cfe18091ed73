"""Tests of the other resources; they call `Resources` directly, without the emulator around it."""
