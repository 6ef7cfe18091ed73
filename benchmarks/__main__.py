"""Every benchmark, one after the other: `python -m benchmarks [NAME …]`, `python -m benchmarks --list`.

Each runs in its own process with its default options; for its options run it alone, as in
`python -m benchmarks.NAME --help`. The exit code is 1 if any of them failed or missed a bound of its own.
`python -m benchmarks --against COMMIT [GROUP …]` compares this checkout with another commit instead (`_against`);
its last group, `waits`, is the table of that benchmark.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def benchmarks() -> dict[str, str]:
    """Return the name of each benchmark and the first line of its docstring."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        if not path.stem.startswith("_"):
            found[path.stem] = path.read_text(encoding="utf-8").partition("\n")[0].strip('"')
    return found


def main() -> int:
    """Run the benchmarks that were named, or all."""
    known = benchmarks()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(known)}")
    parser.add_argument("--list", action="store_true", help="say what each measures, and measure nothing")
    parser.add_argument(
        "--against", metavar="COMMIT", help="compare with this commit; NAME is then a group of rows of that table"
    )
    options = parser.parse_args()
    if options.against:
        from benchmarks import _against

        groups = [name for name in options.names if name != "waits"]
        code = _against.main(options.against, groups) if groups or not options.names else 0
        if len(groups) < len(options.names) or not options.names:
            command = [sys.executable, "-m", "benchmarks.waits", "--against", options.against]
            code = subprocess.run(command, cwd=FOLDER.parent, check=False).returncode or code
        return code
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(known)}")
    failed = []
    for name in options.names or known:
        print(f"{name}: {known[name]}", flush=True)
        if options.list:
            continue
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=FOLDER.parent, check=False).returncode:
            failed.append(name)
        print(flush=True)
    if failed:
        print(f"broken, or beyond its own bound: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
