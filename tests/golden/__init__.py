"""The recorder of outputs, which is in the lab."""
