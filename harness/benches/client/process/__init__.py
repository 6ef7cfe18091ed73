"""The client as a process: how it is started, given its tasks and understood. Layer 5."""
