"""The story of a result: what happened on the wire, told as the steps of a sequence diagram. Layer 6."""
