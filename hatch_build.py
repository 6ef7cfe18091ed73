"""Hook of the build: writes the generated files, which are not in version control, before a wheel is made."""

from __future__ import annotations

import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GeneratedFiles(BuildHookInterface[Any]):
    """Writes them beside their sources, where the wheel takes whole folders from."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the files; `version` is `editable` for `pip install -e`, which needs them, too."""
        sys.path.insert(0, self.root)
        from harness.generated_files import write_files

        write_files()
