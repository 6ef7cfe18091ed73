"""A pass-through that adds no delay and keeps what it saw."""
