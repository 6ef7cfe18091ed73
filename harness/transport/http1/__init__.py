"""HTTP/1.1 as bytes: heads, bodies, limits and endings."""
