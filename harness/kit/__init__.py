"""The parts of checks and mutants, for any API."""
