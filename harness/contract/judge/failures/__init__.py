"""How a server says that it failed: error bodies, bare JSON in a stream, crashes."""
