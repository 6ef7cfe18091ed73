"""A pass-through that adds no delay and keeps what it saw. Layer 3."""
