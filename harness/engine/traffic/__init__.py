"""Policies between an exercise and the network: pace, retries, time and budgets."""
