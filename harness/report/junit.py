"""The JUnit report: one suite per area, readable by the usual CI systems.

Layer 5. FAIL and STALE are failures, ERROR and a MUST that had no answer are errors, what did not run or is
excused is skipped.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from harness.outcome import Verdict
from harness.report.explain import failure_text
from harness.report.story import Story
from harness.runner.events import Result

_FAILED = frozenset({Verdict.FAIL, Verdict.STALE})
_SKIPPED = frozenset(
    {Verdict.XFAIL, Verdict.UNTESTABLE, Verdict.NOT_APPLICABLE, Verdict.EXCLUDED, Verdict.NOT_RUN}
)
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(story: Story) -> str:
    """The report of a finished run as XML text."""
    _, finished = story.whole()
    areas: dict[str, list[Result]] = {}
    for result in finished.results:
        areas.setdefault(result.check.rule.area, []).append(result)
    root = ET.Element("testsuites", {"name": "harness", **_counts(finished.results)})
    for area, results in areas.items():
        suite = ET.SubElement(root, "testsuite", {"name": area, **_counts(results)})
        for result in results:
            _case(suite, result, story)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(results: tuple[Result, ...] | list[Result]) -> dict[str, str]:
    tags = [_tag(result) for result in results]
    return {
        "tests": str(len(tags)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")),
        "time": f"{sum(result.seconds for result in results):.3f}",
    }


def _tag(result: Result) -> str:
    """The element that a result becomes, `""` for none."""
    if result.verdict is Verdict.ERROR or result.unjudged:
        return "error"
    if result.verdict in _FAILED:
        return "failure"
    return "skipped" if result.verdict in _SKIPPED else ""


def _case(suite: ET.Element, result: Result, story: Story) -> None:
    check, verdict, tag = result.check, result.verdict, _tag(result)
    case = ET.SubElement(
        suite,
        "testcase",
        name=f"{check.id}: {check.title}",
        classname=f"interactions.{check.rule.area}",
        time=f"{result.seconds:.3f}",
    )
    message = _clean(_message(result, story))
    if tag in ("error", "failure"):
        child = ET.SubElement(case, tag, message=message, type=str(verdict))
        child.text = _clean(failure_text(result, story))
    elif tag:
        ET.SubElement(case, "skipped", message=f"{verdict}: {message}" if message else str(verdict))
    elif verdict is not Verdict.PASS:
        ET.SubElement(case, "system-out").text = f"{verdict}\n{_clean(failure_text(result, story))}"


def _message(result: Result, story: Story) -> str:
    findings = result.observation.findings
    plain = findings[0].message if findings else result.observation.reason.strip().rpartition("\n")[2]
    return story.mask.text(result.reason or plain)


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot carry."""
    return _NOT_XML.sub("�", text)
