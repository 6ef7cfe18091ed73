"""JUnit reports, readable by the usual CI systems.

Layer 6. A failed check is a failure; a harness error and a MUST check without a response are errors. A check that
is in the baseline, not tested, not offered or excluded is skipped, with its outcome and reason.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.engine.results import Result
from harness.outcome import Accounted, Reason, Verdict
from harness.report.commands.presentation import PresentedRun

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Tag(StrEnum):
    """The result of a case."""

    PASSED = ""
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


def tag_of(result: Result) -> Tag:
    """The result of a case."""
    if result.outcome is Accounted.FAILED:
        return Tag.FAILURE
    if result.unjudged or result.reason is Reason.HARNESS_ERROR:
        return Tag.ERROR
    if result.verdict is Verdict.XFAIL or result.outcome not in (Accounted.WARNED, Accounted.PASSED):
        return Tag.SKIPPED
    return Tag.PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitCase:
    """One case of a suite: its result in a word (`kind`), in short (`message`), and in full (`text`).

    The text of a case that passed, if any, becomes its output.
    """

    suite: str
    name: str
    tag: Tag = Tag.PASSED
    kind: str = ""
    message: str = ""
    text: str = ""
    seconds: float = 0.0


def render(state: PresentedRun) -> str:
    """The report of a finished run as XML text: a case for each result, suites in the order of their first."""
    told = {"verdict": state.verdict_text, "totals": state.totals, "details": "\n".join(state.list_notes())}
    cases = [_build_case(result, state) for result in state.results] or list(_list_unheard(state))
    cases += _list_holes(state)
    return write_document(cases, state.api.name, told)


def _list_unheard(state: PresentedRun) -> Iterator[JUnitCase]:
    """An error in place of all cases, if the run ended before it had any: a file without cases looks green."""
    if message := state.halted_text:
        yield JUnitCase(suite="target", name="answers", tag=Tag.ERROR, kind="incomplete", message=message)


def _list_holes(state: PresentedRun) -> Iterator[JUnitCase]:
    """An error for whatever kept the run from judging: a file of passes looks green."""
    for hole in state.whole()[1].holes:
        message = state.mask.text(hole)
        yield JUnitCase(suite="target", name="answers", tag=Tag.ERROR, kind="incomplete", message=message)


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
            _add_properties(suite, properties)
        for case in members:
            _add(suite, case, api)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_properties(suite: ET.Element, values: Mapping[str, str]) -> None:
    """The accounting of the whole run, on its first suite: the format has no other place for it."""
    properties = ET.SubElement(suite, "properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", name=f"harness.{name}", value=_clean(value))


def _counts(cases: Sequence[JUnitCase]) -> dict[str, str]:
    tags = [case.tag for case in cases]
    return {
        "tests": str(len(tags)),
        "failures": str(tags.count(Tag.FAILURE)),
        "errors": str(tags.count(Tag.ERROR)),
        "skipped": str(tags.count(Tag.SKIPPED)),
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
    match case.tag:
        case Tag.FAILURE | Tag.ERROR:
            ET.SubElement(element, case.tag, message=message, type=case.kind).text = text
        case Tag.SKIPPED:
            ET.SubElement(element, case.tag, message=f"{case.kind}: {message}" if message else case.kind)
        case Tag.PASSED if text:
            ET.SubElement(element, "system-out").text = f"{case.kind}\n{text}"


def _build_case(result: Result, state: PresentedRun) -> JUnitCase:
    verdict, presentation = result.verdict, state.presentation
    findings = result.observation.findings
    plain = findings[0].message if findings else result.observation.reason.strip().rpartition("\n")[2]
    if state.stopped is not None and result.unjudged:
        plain += f": {state.stopped.reason}"
    tag, kind = tag_of(result), presentation.kind(result)
    if result.reason is not None:
        kind = f"{kind}: {result.reason_words}"
    elif result.verdict is Verdict.XFAIL:
        kind = f"{kind}: in the baseline"
    told = tag in (Tag.FAILURE, Tag.ERROR) or (tag is Tag.PASSED and verdict is not Verdict.PASS)
    return JUnitCase(
        suite=presentation.suite(result),
        name=state.mask.text(presentation.case(result)),
        tag=tag,
        kind=kind,
        message=state.mask.text(result.excuse or plain),
        text=presentation.explain(result, state, verbose=True) if told else "",
        seconds=result.seconds,
    )


def _clean(text: str) -> str:
    """Replace the characters that XML 1.0 cannot represent."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
