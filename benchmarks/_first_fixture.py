"""Processor seconds until an emulator is ready on its socket: the first in a process, and later ones.

A module of its own, because the imports are part of what is measured.
"""

from __future__ import annotations

import time

from harness.plugin.environment_variables import EnvironmentVariables


def main() -> None:
    """Print the first time, with imports, and the median of 200 later ones."""
    environment = EnvironmentVariables(())
    environment.install()
    begin = time.process_time()
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
    print(first, again[100])


if __name__ == "__main__":
    main()
