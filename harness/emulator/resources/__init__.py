"""The other resources of the API: agents, environments and files, credentials, webhooks, triggers. Layer 2."""

from harness.emulator.resources.router import Resources

__all__ = ["Resources"]
