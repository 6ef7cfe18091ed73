"""What is known of each model: one table a model, as data; each cell names its source and how much that weighs."""
