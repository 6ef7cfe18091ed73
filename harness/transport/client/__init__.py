"""Sends requests over sockets and reads what comes back."""
