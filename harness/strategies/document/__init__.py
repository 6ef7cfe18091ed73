"""The OpenAPI document as a search needs it: tailored to one target, and divided into resources.

Layer 2. Must not know which tool reads it.
"""
