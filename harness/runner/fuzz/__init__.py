"""Searches a target for what breaks it: histories, stream laws, every short history, and the document's own space.

Layer 4. What is promised comes from `contract`, what may be asked from `strategies`; the four engines share one
way to play (`world`), to report (`failure`) and to remember (`store`).
"""
