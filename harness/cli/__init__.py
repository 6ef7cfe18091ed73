"""The command line: argv, environment, configuration and exit codes; no logic of its own."""

try:
    from harness.cli.main import main
except KeyboardInterrupt:  # while Python still reads modules: nothing has begun, and there is nothing to report
    raise SystemExit(130) from None

__all__ = ["main"]
