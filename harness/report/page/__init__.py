"""The page: one HTML file that needs no network.

Values come first: `matrix` here, and `story`, `causes` and `side_by_side` of `report`. Then one template draws
them (`rendering`, `templates/`). A value holds masked text, never markup: the template escapes it.
"""
