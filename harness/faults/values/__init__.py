"""The faults as frozen values, by what they damage; `str` of each is its spelling in the grammar. Layer 1."""
