"""The HTML report: a run as one page that needs no network.

The verdict first, then what is broken by cause, then the whole catalog. A template of `page/templates/` draws
values that are masked text, never markup: the template escapes them. Other pages are drawn by `render_template`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from harness import __version__
from harness.look import Mark, content_hash, mark_of, read_icons, read_script, read_style
from harness.outcome import Accounted, Exit, Level
from harness.outcome.words import escape_unseen, format_count, shorten
from harness.report.collected_run import ENDED_EARLY, to_sentence
from harness.report.finding_text import SharedFixes, compare_texts
from harness.report.presented_run import JUDGED, LISTED, Cause, PresentedRun

FOLDER = Path(__file__).parent / "page"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_JOINT = re.compile(r"([/.])(?=[A-Za-z])")
_QUOTED = re.compile(r"`([^`]+)`")
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=%|(?:s|ms|min|B|kB|MiB)\b)")


@cache
def _build_environment(folder: Path | None) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([*([folder] if folder is not None else []), FOLDER / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["prose"] = format_prose
    # A name may go on in the next line after a stroke or a dot before a letter.
    environment.filters["breakable"] = lambda name: Markup(_JOINT.sub(r"\1<wbr>", str(escape(name))))
    environment.filters["mark"] = lambda outcome: mark_of(str(outcome))
    # A link leads into the web, and to nothing that a browser would run.
    environment.filters["web"] = lambda url: url if _WEB.match(url) else ""
    environment.filters["beside"] = compare_texts
    return environment


def render_template(name: str, *, title: str, command: str, folder: Path | None = None, **values: Any) -> str:
    """The page that the named template makes of the values; `command` is the one that made the results.

    `folder` may have the template; the templates here are the parts of all.
    """
    head = read_script("theme")
    body = "\n".join((read_script("copy", "matrix"), (FOLDER / "page.js").read_text("utf-8")))
    return render_values(
        name,
        folder,
        title=title,
        command=command,
        version=__version__,
        style="\n".join((read_style("matrix", "picture"), (FOLDER / "page.css").read_text("utf-8"))),
        icons=read_icons(),
        head_script=head,
        head_hash=content_hash(head),
        body_script=body,
        body_hash=content_hash(body),
        **values,
    )


def render_values(name: str, folder: Path | None, **values: Any) -> str:
    """Put values into a template; no character is left that a browser or an editor would obey."""
    text = _build_environment(folder).get_template(f"{name}.html.jinja").render(**values)
    return escape_unseen(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def format_prose(text: str) -> Markup:
    """The escaped text; what stands in backticks is code, and no line begins with a unit."""
    return Markup(_QUOTED.sub(r"<code>\1</code>", _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", str(escape(text)))))


_SPACE = re.compile(r"\s+")


class FragmentNames:
    """Gives each text a fragment that no other text of the page has, and always the same one."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._used: set[str] = set()

    def name(self, text: str) -> str:
        """The fragment of a text: the text itself without white space, if that is free."""
        if text not in self._names:
            plain = _SPACE.sub("-", text.strip()) or "part"
            name, number = plain, 2
            while name in self._used:
                name, number = f"{plain}-{number}", number + 1
            self._used.add(name)
            self._names[text] = name
        return self._names[text]


_NAMED = 40
MOST_DETAILED = 50
"""Failures that are shown with their evidence, some of each cause; the JSON report has that of the others."""

_WARNED = (
    "{} warned and did not fail the run: a SHOULD rule is broken, a MUST rule is met only in a lenient reading, "
    "or the baseline lists the failure."
)

MARKS = {Exit.OK: mark_of("pass"), Exit.FAILED: mark_of("fail")}
"""The mark of a verdict; the others have that of `no_answer`."""


def render(state: PresentedRun) -> str:
    """The report of a finished run as one page."""
    _, finished = state.whole()
    causes = state.causes
    first = [cause.results[0].id for cause in causes]
    chosen = [shown.id for cause in causes for shown in cause.results[:12]]
    failures = frozenset(list(dict.fromkeys((*first, *chosen)))[:MOST_DETAILED])
    warned = [shown for shown in state.urgent_first if shown.outcome is Accounted.WARNED]
    warnings = [shown for shown in warned if shown.result.id not in failures][:30]
    detailed = failures | {shown.result.id for shown in warnings}
    headline, *lead = state.verdict.sentences
    headline = _IDS.sub(r"\1", headline)  # the contents name them
    if state.halted_text:  # which says so with its reason
        lead = [line for line in lead if line != f"{to_sentence(ENDED_EARLY)}."]
    areas = state.list_areas()
    names = FragmentNames()
    for area in areas:  # an area is linked by its name, whatever its results are called
        names.name(f"area-{area.name}")
        for row in area.rows:
            names.name(row.result.id)
    listed = sum(len(area.rows) for area in areas)
    counts = state.accounting.counts
    kinds = {row.outcome for area in areas for row in area.rows}
    order = ""
    if len(causes) > 1:
        number = format_count(sum(len(cause.results) for cause in causes), "failure")
        order = f"{number}, grouped by cause. Failures that {state.unaware} cannot detect come first, "
        order += "then the most frequent ones."
    state_mark = MARKS.get(finished.exit, mark_of("no_answer"))
    if finished.exit is Exit.OK and not state.is_whole:  # it passed without testing every MUST check
        state_mark = Mark("open", "none")
    return render_template(
        "run",
        title=f"{state.subject}: {state.place}",
        command=state.command,
        run=state,
        headline=headline,
        lead=[*lead, *state.lead],
        state_mark=state_mark,
        facts=[("Target", state.place), *((to_sentence(word), value) for word, value in state.facts)],
        tallies=count_for_bar(counts),
        total=sum(counts.values()),
        shown=listed,
        unlisted=len(state.results) - listed,
        names=names,
        causes=[_show_cause(cause, names, failures) for cause in causes],
        warnings=warnings,
        fixes=SharedFixes(),
        warned=len(warned),
        warned_about=_WARNED.format(format_count(len(warned), state.noun)),
        broken_about=order,
        sections=[
            {"title": s.title, "lines": s.lines, "folded": s.folded, "fragment": names.name(s.title)}
            for s in state.sections()
            if not s.drawn
        ],
        catalogue_word="Catalog" if state.noun == "check" else "Results",
        filters=[("", "All"), *((str(one), one.word.capitalize()) for one in LISTED if one in kinds)],
        levels=[str(level) for level in Level if any(row.level is level for area in areas for row in area.rows)],
        areas=areas,
        detailed=detailed,
        bar_of=count_for_bar,
    )


_IDS = re.compile(r"(\(\d+ causes?): [^;)]+")


def _show_cause(cause: Cause, names: FragmentNames, detailed: frozenset[str]) -> dict[str, Any]:
    rest = [shown.id for shown in cause.results if shown.id not in detailed]
    listed = shorten(", ".join(rest[:_NAMED]), 2_000)
    return {
        "cause": cause,
        "fragment": names.name(f"cause-{cause.key}"),
        "title": to_sentence(cause.title),
        "problem": "" if cause.problem in cause.title else cause.problem,
        "details": [shown for shown in cause.results if shown.id in detailed],
        "rest": f"{len(rest)} more of this kind, in the JSON report: {listed}" if rest else "",
        "affected": list(cause.affected[:_NAMED]),
    }


def count_for_bar(counts: Mapping[Accounted, int]) -> list[dict[str, Any]]:
    """The parts of a bar: what was not judged is hatched."""
    return [
        {"word": outcome.word, "number": number, "mark": mark_of(str(outcome)), "hatched": outcome not in JUDGED}
        for outcome in Accounted
        if (number := counts.get(outcome, 0))
    ]
