"""The page: one HTML file that needs no network. Layer 6.

Values first (`story`, `event_list`, `comparison`, `causes`, `standing_rows`, `areas`, `matrix`), then one template
that draws them (`rendering`, `templates/`). A value holds masked text, never markup: the template escapes it.
"""
