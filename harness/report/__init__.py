"""Reports: one module per format, each of them only listens to the events of a run. Layer 5."""
