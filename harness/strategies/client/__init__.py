"""One client of the API, played step by step: what a search does with interactions, and what it knows of them.

Layer 2. A step is a `ClientCommand`. Requests go through the `SearchWorld` that the engine hands over; the
contract's `HistoryJudge` judges the answers.
"""
