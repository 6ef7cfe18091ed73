"""Recordings: the recorder between any client and a target, sessions that record the library, verify and diff.

Clients talk to `recorder`. A `session` runs scenarios through a driver of its own, and decides whether each result
may be kept.
"""
