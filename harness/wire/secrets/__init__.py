"""What a secret looks like: its patterns, the forms in which it is written, what hints at one."""
