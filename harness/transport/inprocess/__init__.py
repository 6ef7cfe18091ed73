"""Brings a service to a client without a socket."""
