"""Typical bugs of clients, each of which must fail the case meant for it."""
