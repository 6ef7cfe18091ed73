"""What is sent through a gateway, and what is judged of it. Layer 5."""
