"""What each command says in its own words; one `Presentation` a module. Layer 6."""
