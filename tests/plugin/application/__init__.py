"""An application, the tests that its author would write from docs/pytest.md, and the bugs they must catch."""
