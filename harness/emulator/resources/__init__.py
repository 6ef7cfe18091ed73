"""The other resources of the API: agents, environments and files, credentials, webhooks, triggers."""
