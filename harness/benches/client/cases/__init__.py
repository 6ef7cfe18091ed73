"""Which cases there are, and the streams that they are about. Layer 5."""
