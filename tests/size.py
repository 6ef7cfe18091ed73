"""How heavy the project is: lines of each room, reach of each purpose, functions, helpers used once, constants.

`python -m tests.size` prints what `size.toml` allows beside what is there, `--write` lowers each row that fell. No
command raises a row: edit it, and write into its `why` which user needs more.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_name("size.toml")
PARTS = ("harness", "lab", "tests")

Sizes = dict[str, dict[str, int]]


def measure(root: Path = ROOT) -> Sizes:
    """Every figure of the table, by section and row."""
    sources = {path: path.read_text("utf-8") for part in PARTS for path in _find_modules(root / part)}
    package = {path: ast.parse(text) for path, text in sources.items() if path.is_relative_to(root / "harness")}
    lines: Counter[str] = Counter()
    for path, text in sources.items():
        part, *below = path.relative_to(root).parts
        lines[part] += text.count("\n")
        if part == "harness":
            lines[f"harness/{below[0]}"] += text.count("\n")
    rooms = {room: count for room, count in lines.items() if room in PARTS or not room.endswith(".py")}
    rooms["harness/*.py"] = sum(count for room, count in lines.items() if room.endswith(".py"))
    return {
        "lines": rooms,
        "form": {
            "functions": sum(isinstance(node, _FUNCTIONS) for tree in package.values() for node in walk(tree)),
            "helpers_used_once": sum(map(_count_helpers_used_once, package.values())),
            "constants": sum(map(_count_constants, package.values())),
        },
        "reach": measure_reach(
            {_name(path.relative_to(root)): (sources[path].count("\n"), tree) for path, tree in package.items()}
        ),
    }


@cache
def walk(tree: ast.Module) -> tuple[ast.AST, ...]:
    """The nodes of a module: each figure looks through them, and to find them takes longer."""
    return tuple(ast.walk(tree))


ENTRIES = {
    "check": "harness.cli.commands.check",
    "fuzz": "harness.cli.commands.fuzz",
    "gateway": "harness.cli.commands.gateway",
    "serve": "harness.cli.commands.serve",
    "replay": "harness.cli.commands.replay",
    "torture": "harness.cli.commands.torture",
    "record": "harness.cli.commands.record",
    "verify": "harness.cli.commands.verify",
    "fixtures": "harness.pytest_plugin",
}
"""Where each purpose begins."""


def measure_reach(modules: Mapping[str, tuple[int, ast.Module]]) -> dict[str, int]:
    """Lines of all modules that a purpose reaches."""
    reached = find_reached({name: tree for name, (_, tree) in modules.items()})
    return {purpose: sum(modules[name][0] for name in names) for purpose, names in reached.items()}


def find_reached(modules: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """The modules that each purpose reaches by imports, those inside functions included."""
    homes = dict(pair for name, tree in modules.items() for pair in _find_homes(name, tree))
    asked = {name: {homes.get(each, each) for each in _find_imports(name, tree)} for name, tree in modules.items()}
    return {purpose: _follow(asked, entry) for purpose, entry in ENTRIES.items() if entry in modules}


def _find_homes(name: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that a package imports late, each with its module, which whoever imports it reaches."""
    if any("__getattr__" in map(ast.unparse, getattr(node, "targets", ())) for node in tree.body):
        for node in walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from ((f"{name}.{alias.name}", node.module) for alias in node.names)


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _follow(asked: Mapping[str, set[str]], entry: str) -> set[str]:
    found: set[str] = set()
    new = {entry}
    while new:
        found |= new
        new = {name for module in new for name in asked[module] if name in asked} - found
    return found


def _find_imports(name: str, tree: ast.Module) -> set[str]:
    """The modules that a module imports, and the packages around it; types alone do not count."""
    found = {name.rsplit(".", at)[0] for at in range(1, name.count(".") + 1)}
    only_types = {
        id(inner)
        for node in walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in walk(tree):
        if id(node) in only_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "LateCall":
            module, value = (arg.value for arg in node.args if isinstance(arg, ast.Constant))
            found |= {module, f"{module}.{value}"}
    return found


_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def _find_modules(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.py") if not {"_data", "node_modules"} & set(path.parts))


def _count_helpers_used_once(tree: ast.Module) -> int:
    """The private functions of a module that it names in one place."""
    named = Counter(node.id for node in walk(tree) if isinstance(node, ast.Name))
    named.update(node.attr for node in walk(tree) if isinstance(node, ast.Attribute))
    return sum(
        isinstance(node, _FUNCTIONS) and node.name.startswith("_") and named[node.name] == 1 for node in tree.body
    )


def _count_constants(tree: ast.Module) -> int:
    """The numbers that a module names: thresholds, limits, defaults. A tuple has as many as it has items."""
    found = 0
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            found += sum(map(_is_number, node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]))
    return found


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) and _is_number(node.right)
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def read_table(path: Path = TABLE) -> dict[str, dict[str, Any]]:
    """The rows of the table: section, row, `most` and why it may be more than it was."""
    return tomllib.loads(path.read_text("utf-8"))


def compare(measured: Mapping[str, int], allowed: Mapping[str, Any]) -> list[str]:
    """What is wrong with one section, a sentence a row."""
    wrong = []
    for row, size in measured.items():
        most = allowed.get(row, {}).get("most")
        if most is None:
            wrong.append(
                f"{row} is {size} and has no row: add it to {TABLE.name}, with the user's need as its `why`"
            )
        elif size > most:
            wrong.append(
                f"{row} is {size}, and {TABLE.name} allows {most}: take out as much elsewhere in it, or raise the "
                "row and write into its `why` which user needs that"
            )
        elif size < most * LOWEST_SHARE:
            wrong.append(f"{row} fell from {most} to {size}: python -m tests.size --write")
    wrong += [
        f"{row} is in {TABLE.name} and not in the project: delete the row" for row in allowed.keys() - measured
    ]
    return wrong


LOWEST_SHARE = 0.97
"""A row may be this much above what is there, so that not every small commit has to edit the table."""


def write(table: Mapping[str, Mapping[str, Any]], measured: Sizes, path: Path = TABLE) -> None:
    """Lower the rows that fell. A row never rises here, and a new one is not added."""
    path.write_text("".join(_format(table, measured)), "utf-8")


def _format(table: Mapping[str, Mapping[str, Any]], measured: Sizes) -> Iterable[str]:
    yield "# The budgets of the project (tests/size.py). They only go down; `why` names the user who needs more.\n"
    for section, rows in table.items():
        yield f"\n[{section}]\n"
        for row, allowed in rows.items():
            if row in measured[section]:
                why = f', why = "{allowed["why"]}"' if "why" in allowed else ""
                yield f'"{row}" = {{ most = {min(allowed["most"], measured[section][row])}{why} }}\n'


def main() -> None:
    """Print the table, or lower it."""
    parser = argparse.ArgumentParser(prog="python -m tests.size", description=__doc__)
    parser.add_argument("--write", action="store_true", help="lower the rows that fell")
    table, measured = read_table(), measure()
    if parser.parse_args().write:
        write(table, measured)
        return
    for section, rows in measured.items():
        sys.stdout.write(f"\n{section:24}{'allowed':>10}{'is':>10}\n")
        for row, size in rows.items():
            sys.stdout.write(f"{row:24}{table[section].get(row, {}).get('most', '-'):>10}{size:>10}\n")


if __name__ == "__main__":
    main()
