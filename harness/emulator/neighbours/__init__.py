"""The resources beside interactions: agents, environments and files, credentials, webhooks, triggers. Layer 2."""

from harness.emulator.neighbours.service import Neighbours
from harness.emulator.neighbours.signing import Delivery, delivery, sign

__all__ = ["Neighbours", "Delivery", "delivery", "sign"]
