"""The catalog of checks as test items: `pytest --pyargs harness.suite --interactions-url URL`. Layer 8.

One item per check; `docs/pytest-reference.md` lists the options. Nothing is collected unless it is named.
"""
