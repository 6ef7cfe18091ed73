"""Clients by name: which public packages they come from, how they are installed, and how they are started.

A driver is a program of `docs/clients/drivers` that reads tasks with the client's own calls.
"""

from harness.benches.client.ready.environments import install
from harness.benches.client.ready.ready_clients import READY, ReadyClient, find_ready

__all__ = ["READY", "ReadyClient", "find_ready", "install"]
