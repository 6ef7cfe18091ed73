"""A clock that moves when the code under test waits: what tells the time, and what waits."""
