"""Servers that share no code with this project, so that checks meet what nobody here thought of."""
