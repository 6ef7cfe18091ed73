"""`python -m harness.contract.tables` prints the order of streams and the lifecycle of runs, one row per line."""

import sys

from harness.contract.tables.lifecycle import LIFECYCLE
from harness.contract.tables.stream_order import format_order

if __name__ == "__main__":
    sys.stdout.write("\n".join((*format_order(), "", *LIFECYCLE.format_rows())) + "\n")
