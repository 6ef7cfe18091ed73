"""A socket server whose responses end exactly as their `Ending`, to the byte."""
