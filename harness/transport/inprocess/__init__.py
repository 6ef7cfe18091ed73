"""Brings a service to a client without a socket. Layer 3."""
