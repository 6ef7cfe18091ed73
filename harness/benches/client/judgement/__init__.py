"""The result of a client in a case: what it received, what it did wrong, and how to show that."""
