"""Seconds until an emulator is ready on its socket, as `plugin` measures them: the first in a process, later ones.

A module of its own, because the imports are part of what is measured.
"""

from __future__ import annotations

import time

from harness.plugin.environment_variables import EnvironmentVariables


def main() -> None:
    """Print the first time, with imports, and the median of 200 later ones."""
    environment = EnvironmentVariables(())
    environment.install()
    begin = time.perf_counter()
    from harness.interactions import INTERACTIONS
    from harness.plugin.session_server import SessionServer

    session = SessionServer(environment, INTERACTIONS)

    def open_one() -> float:
        begin = time.perf_counter()
        from harness.plugin.interactions.emulator import InteractionsEmulator
        from harness.plugin.network_guard import loopback_only

        with InteractionsEmulator().open(session), loopback_only():
            return time.perf_counter() - begin

    first = time.perf_counter() - begin + open_one()
    again = sorted(open_one() for _ in range(200))
    session.close()
    environment.uninstall()
    print(first, again[100])


if __name__ == "__main__":
    main()
