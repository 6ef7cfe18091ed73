"""Several runs side by side, read from their JSON reports: targets, or one target then and now."""
