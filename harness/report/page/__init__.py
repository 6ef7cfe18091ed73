"""The page: one HTML file that needs no network.

Values come first: `matrix` here, and `story` and `side_by_side` of `report`. Then one of the `templates/` draws
them (`html_report`). A value holds masked text, never markup: the template escapes it.
"""
