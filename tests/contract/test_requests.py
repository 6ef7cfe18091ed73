"""Requests of this API: a server chooses names in their paths, and no path by them."""

from __future__ import annotations
