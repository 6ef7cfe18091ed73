"""What a CI system runs."""
