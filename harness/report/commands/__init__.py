"""The words of each command; one `Presentation` for each."""
