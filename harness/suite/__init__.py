"""The catalog of checks as test items: `pytest --pyargs harness.suite --interactions-url URL`.

One item per check; `docs/pytest-reference.md` lists the options. Nothing is collected unless it is named.
"""
