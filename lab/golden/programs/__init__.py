"""Programs that recordings run: clients, and gateways."""
