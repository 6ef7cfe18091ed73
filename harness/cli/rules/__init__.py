"""What the command line says of rules: what is known of each, as text and as pages. Layer 8."""
