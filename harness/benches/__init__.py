"""Where the actions of an exercise go, and what can be observed there."""
