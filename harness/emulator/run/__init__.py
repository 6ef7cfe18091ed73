"""A run and its events, from the create to the last byte of a stream."""
