"""The inspector: what it sees, what it tells, and to whom."""
