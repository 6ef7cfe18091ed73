"""One run in parts, on several machines: what each plays, and how they are joined."""
