"""The fixtures that know this API: chains, lifecycles, clients, drops. Layer 7."""
