"""What the harness costs, beside peers, floors and its own past."""
