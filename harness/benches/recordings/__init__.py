"""Recorded traffic: judged offline, compared, cut where a connection died. Layer 5."""
