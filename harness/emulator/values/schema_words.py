"""The sentences in which a refusal tells what a schema found wrong with a request.

Layer 2. An unknown name is told as by the live service (`Unknown parameter 'id' at 'input[2]'.`, probes).
Must not know what was sent to which operation.
"""

from __future__ import annotations

import re

from harness.contract import Contract
from harness.contract.schema.explain import SchemaProblem

_LAST = re.compile(r"\$(?P<place>.*?)(?:\.(?P<name>\w+)|\[\"(?P<odd>.*)\"\])")
_LONGEST_LIST = 200


def describe_problem(problem: SchemaProblem) -> str:
    """Return the sentence for one problem: where it is, what is wrong, and what would fit."""
    place = _place(problem.pointer)
    if unknown := _describe_unknown(problem):
        return unknown
    message = problem.message if problem.message.endswith("?") else f"{problem.message}.{_list_allowed(problem)}"
    return f"Invalid value at '{place}': {message}" if place else message[0].upper() + message[1:]


def describe_schemas(contract: Contract) -> str:
    """Return the sentence that says how new the schemas are, and how to send what they do not list."""
    return (
        f" (These schemas are those of revision {contract.revision}, {contract.schemas.as_of}; "
        "what is newer is taken with the emulator's setting unknown=accept.)"
    )


def _describe_unknown(problem: SchemaProblem) -> str:
    """Return the sentence that refuses an unknown name, in the service's form; `""` for other faults."""
    last = _LAST.fullmatch(problem.pointer)
    if problem.keyword != "additionalProperties" or last is None:
        return ""
    where = f" at '{last['place'].lstrip('.')}'" if last["place"] else ""
    _, separator, hint = problem.message.partition("; did you mean ")
    advice = f" Did you mean {hint.replace(chr(34), chr(39))}" if separator else ""
    return f"Unknown parameter '{last['name'] or last['odd']}'{where}.{advice}"


def _list_allowed(problem: SchemaProblem) -> str:
    """What a wrong constant could have been, if there are few of them."""
    listed = problem.keyword in ("const", "enum") and len(problem.expected) <= _LONGEST_LIST
    return f" It must be {problem.expected}." if listed else ""


def _place(pointer: str) -> str:
    return pointer.removeprefix("$").lstrip(".")
