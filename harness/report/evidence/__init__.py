"""Evidence for people: exchanges, passages and runs of clients as text, and as curl lines."""
