"""Processor seconds until an emulator is ready on its socket: the first of a pytest session, and later ones.

A module of its own, because the imports are part of what is measured. A session has pytest and the plugin already.
"""

from __future__ import annotations

import time

import pytest  # noqa: F401

import harness.pytest_plugin  # noqa: F401
from harness.plugin.environment_variables import EnvironmentVariables


def main() -> None:
    """Print the first time, with imports, the median of 200 later ones, and what of the first libraries take."""
    environment = EnvironmentVariables(())
    environment.install()
    begin = time.process_time()
    import msgspec  # noqa: F401

    libraries = time.process_time() - begin
    from harness.interactions import INTERACTIONS
    from harness.plugin.session_server import SessionServer

    session = SessionServer(environment, INTERACTIONS)

    def open_one() -> float:
        begin = time.process_time()
        from harness.plugin.interactions.emulator import InteractionsEmulator
        from harness.plugin.network_guard import loopback_only

        with InteractionsEmulator().open(session), loopback_only():
            return time.process_time() - begin

    first = time.process_time() - begin + open_one()
    again = sorted(open_one() for _ in range(200))
    session.close()
    environment.uninstall()
    print(first, again[100], libraries)


if __name__ == "__main__":
    main()
