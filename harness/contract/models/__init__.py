"""Facts about each model: one table a model, as data; each cell names its source and its weight."""
