"""The catalog: one module for each area of rules. Layer 2."""
