"""The command line: argv, environment, configuration and exit codes; no logic of its own. Layer 7."""

from harness.cli.main import main

__all__ = ["main"]
