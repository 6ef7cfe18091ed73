"""Stream an interaction to its end through any drop: a small helper for the client side of the API's resume.

For users of google-genai and of plain httpx (or httpx2), sync and async; `docs/resume.md` teaches it. It opens no
connection of its own and sleeps only through the function it is given.
"""

from harness.errors import GaveUp, Refused
from harness.resume.follow import AsyncFollowed, Followed, follow, follow_async
from harness.resume.state_machine import RetryLimits

__all__ = ["follow", "follow_async", "Followed", "AsyncFollowed", "RetryLimits", "GaveUp", "Refused"]
