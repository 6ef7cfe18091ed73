"""Attacks on the harness: what a folder, file, page or server of a stranger may not do."""
