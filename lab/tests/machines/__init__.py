"""Machines that judge the catalog itself: the pipeline runs a sample of each, and the thorough tests run all."""
