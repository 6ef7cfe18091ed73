"""The table of clients as Markdown, as a page, as JSON, and as lines for a terminal. Layer 6."""
