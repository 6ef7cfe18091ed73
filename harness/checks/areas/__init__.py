"""The catalog: one module for each area of rules."""
