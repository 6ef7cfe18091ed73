"""Other implementations: each installed in an environment of its own, judged, and explained by its causes."""
