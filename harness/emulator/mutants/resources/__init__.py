"""Mutants of the other resources: files, stores, voices, webhooks, triggers and more."""
