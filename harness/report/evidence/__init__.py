"""Evidence for people: exchanges, passages and runs of clients as text, as curl lines and as files."""
