"""What the first create of a process costs, counted in looks at the disk and not in time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

COUNT = """
import collections, json, sys
from harness import resources
from tests.emulator.client import Api

root, looks = str(resources.folder("schemas")), collections.Counter()

def note(event, arguments):
    if event in ("open", "os.scandir", "os.listdir") and str(arguments[0]).startswith(root):
        looks[f"{event} {arguments[0]}"] += 1

sys.addaudithook(note)
api, counts = Api(), []
for _ in range(2):
    assert api.create().status == 200
    counts.append(dict(looks))
    looks.clear()
print(json.dumps(counts))
"""


def test_the_first_create_looks_at_each_schema_once():
    """Each schema folder is listed, and each file opened, at most once; the next create looks at none of them."""
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    first, second = json.loads(done.stdout)
    assert len(of("open", first)) > 50
    assert of("os.", first)
    assert set(first.values()) == {1}
    assert second == {}


def of(event: str, looks: dict[str, Any]) -> list[str]:
    """The looks of one kind."""
    return [look for look in looks if look.startswith(event)]
