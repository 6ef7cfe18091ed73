"""What each command says in its own words; one `Presentation` for each. Layer 6."""
