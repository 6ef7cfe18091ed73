"""The answer of a model or an agent, as steps."""
