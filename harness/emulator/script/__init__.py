"""Scripts of what the emulator will answer, and how they reach it. Layer 2."""
