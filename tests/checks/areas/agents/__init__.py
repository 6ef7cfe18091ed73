"""Tests of checks of managed agents and their environments."""
