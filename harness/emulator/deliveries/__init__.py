"""What the service posts to webhooks: events, signatures, and the schedule of attempts. Layer 2."""
