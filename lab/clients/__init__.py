"""The table of clients: what each does under each fault, as data, as maps and as counts."""
