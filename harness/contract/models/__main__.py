"""Print the table of models of the documentation: `python -m harness.contract.models`."""

import sys

from harness.contract.models.profiles import write_table

sys.stdout.write(write_table())
