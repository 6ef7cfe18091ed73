"""The JSON Schemas: loaded, closed, applied and explained."""
