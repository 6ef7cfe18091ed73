"""JUnit reports, readable by the usual CI systems.

A failed check is a failure; a harness error and a MUST check without a response are errors. A check that is in the
baseline, not tested, not offered or excluded is skipped, with its outcome and reason.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.outcome.words import break_attachments, escape_unseen
from harness.report.presented_run import PresentedRun, Standing

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitCase:
    """One case of a suite: its result in a word (`kind`), in short (`message`), and in full (`text`).

    The text of a case that passed, if any, becomes its output.
    """

    suite: str
    name: str
    standing: Standing = Standing.PASSED
    kind: str = ""
    message: str = ""
    text: str = ""
    seconds: float = 0.0


def render(state: PresentedRun) -> str:
    """The report of a finished run as XML text: a case for each result, suites in the order of their first."""
    properties = {
        "target": state.whole()[0].name,
        "verdict": state.verdict_text,
        "totals": state.write_totals(),
        "details": "\n".join(state.list_notes()),
    }
    cases = [
        JUnitCase(
            suite=shown.suite,
            name=shown.case,
            standing=shown.standing,
            kind=shown.kind,
            message=shown.message,
            text=shown.explain() if shown.is_explained else "",
            seconds=shown.result.seconds,
        )
        for shown in state.presented
    ]
    cases += [
        JUnitCase(suite="target", name="answers", standing=Standing.ERROR, kind="incomplete", message=message)
        for message in state.obstacles
    ]
    return write_document(cases, state.api.name, properties)


def write_document(cases: Iterable[JUnitCase], api: str, properties: Mapping[str, str]) -> str:
    """Cases as XML text; `api` begins their class names, `properties` stand on the first suite."""
    suites: dict[str, list[JUnitCase]] = {}
    for case in cases:
        suites.setdefault(case.suite, []).append(case)
    everything = [case for members in suites.values() for case in members]
    root = ET.Element("testsuites", {"name": "harness", **_counts(everything)})
    for name, members in suites.items():
        suite = ET.SubElement(root, "testsuite", {"name": _clean(name), **_counts(members)})
        if properties and len(root) == 1:
            element = ET.SubElement(suite, "properties")  # the format has no place for the whole run
            for key, value in properties.items():
                ET.SubElement(element, "property", name=f"harness.{key}", value=_clean(value))
        for case in members:
            _add(suite, case, api)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(cases: Sequence[JUnitCase]) -> dict[str, str]:
    standings = Counter(case.standing for case in cases)
    return {
        "tests": str(len(cases)),
        "failures": str(standings[Standing.FAILURE]),
        "errors": str(standings[Standing.ERROR]),
        "skipped": str(standings[Standing.SKIPPED]),
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }


def _add(suite: ET.Element, case: JUnitCase, api: str) -> None:
    element = ET.SubElement(
        suite,
        "testcase",
        name=_clean(case.name),
        classname=_clean(f"{api}.{case.suite}"),
        time=f"{case.seconds:.3f}",
    )
    message, text = _clean(case.message), _clean(case.text)
    match case.standing:
        case Standing.FAILURE | Standing.ERROR:
            ET.SubElement(element, case.standing, message=message, type=case.kind).text = text
        case Standing.SKIPPED:
            ET.SubElement(element, case.standing, message=f"{case.kind}: {message}" if message else case.kind)
        case Standing.PASSED if text:
            ET.SubElement(element, "system-out").text = f"{case.kind}\n{text}"


def _clean(text: str) -> str:
    """Replace the characters that XML 1.0 cannot represent, and escape what a viewer would obey."""
    return break_attachments(escape_unseen(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)))
