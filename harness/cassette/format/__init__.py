"""The file: its document, its entries, how a body is packed and how it ended. Layer 1."""
