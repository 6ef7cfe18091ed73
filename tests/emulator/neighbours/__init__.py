"""Tests of the neighbouring resources; they drive `Neighbours` directly, without the emulator around it."""
