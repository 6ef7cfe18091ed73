"""What the emulator delivers to webhooks."""
