"""The small values that the service is made of."""
