"""Reports: one module per format. A report only listens to the events of a run."""
