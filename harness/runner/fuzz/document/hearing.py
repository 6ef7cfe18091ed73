"""What one resource's search did, heard from the events of schemathesis, and whether it proves anything.

Layer 4. A run proves that it was not vacuous (one wrong link in the document makes the tool's stateful phase test
nothing, in silence), and requests that got no answer are findings, not noise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.outcome import Finding
from harness.runner.fuzz.answers import BUSY
from harness.runner.fuzz.document.families import Family
from harness.runner.fuzz.document.recorded import exchange_of, unanswered
from harness.runner.fuzz.failure import Failure, key_of
from harness.runner.fuzz.place import Place
from harness.runner.fuzz.rules import ANSWERED, SHAPE
from harness.runner.ledger import Ledger
from harness.wire import Exchange

ENGINE = "schema"

LEAST_SUCCESS = 0.1
"""A run in which a smaller share of the calls that were meant to succeed did so has tested refusals only."""


SHAPES = frozenset({SHAPE, "agents.schema", "env.schema", "hook.schema"})
"""Rules on what neighbours show, much of which is the caller's own input.

A service that takes what is wrong shows it again. That is leniency and no mistake of its own, so once it took such
a thing these rules are judged no more.
"""


class Hearing:
    """The calls of one family. `links` are the declared ones by operation, `roots` where chains may begin."""

    def __init__(
        self,
        place: Place,
        family: Family,
        links: Mapping[str, set[str]],
        *,
        root: str = "",
        strict: bool = False,
        passed_over: frozenset[str] = frozenset(),
    ) -> None:
        self.family = family
        self.declared = links
        self.checks = family.checks(strict=strict, keys="auth" in place.able)
        self.calls = self.meant = self.successes = self.busy = self.mute = 0
        self.lenient = False
        self.succeeded: set[str] = set()
        self.reached: set[str] = set()
        self.links: Counter[str] = Counter()
        self.roots: set[str] = set()
        self.failures: dict[str, Failure] = {}
        self.ledger = Ledger()
        self._place = place
        self._root = root
        self._passed_over = passed_over

    def scenario(self, recorder: Any) -> None:
        """Take in one scenario: a call, or a chain of them."""
        for case_id, interaction in recorder.interactions.items():
            node = recorder.cases.get(case_id)
            status = interaction.response.status_code if interaction.response is not None else 0
            self._count(node, status)
            if status and interaction.request.method in ("POST", "DELETE"):
                self.ledger.note(exchange_of(interaction.response.request, interaction.response, self._root))
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    self._failed(recorder, case_id, check.name, check.failure_info.failure)

    def _count(self, node: Any, status: int) -> None:
        self.calls += 1
        self.busy += status in BUSY
        success = 200 <= status < 300
        if node is None:
            return
        if success and node.value.operation.method in ("post", "patch") and not _was_meant(node.value):
            self.lenient = True
        if _was_meant(node.value):
            self.meant += 1
            self.successes += success
        if status:
            self.reached.add(node.value.operation.label)
        if success:
            self.succeeded.add(node.value.operation.label)
        if node.is_transition_applied and node.transition is not None:
            self.links[_link_name(node.transition)] += 1

    def _failed(self, recorder: Any, case_id: str, name: str, failure: Any) -> None:
        finding = getattr(failure, "finding", None)
        chain = list(recorder.iter_chain_cases(case_id=case_id, related_case_ids=failure.related_case_ids()))
        if finding is None:
            rule = self.checks.get(name)
            if name == "response_schema_conformance" and _refused(recorder, case_id):
                rule = "err.shape"
            if rule is None or (name == "ensure_resource_availability" and not _reads(recorder, case_id)):
                return
            lines = [line.strip() for line in str(failure.message).splitlines() if line.strip()]
            finding = Finding(rule, f"{failure.title}: {lines[0] if lines else ''}".strip(": "))
        if finding.rule in SHAPES and (self.lenient or not all(map(_was_meant, chain))):
            return
        order = [*(case.id for case in chain if case.id != case_id), case_id]
        self._keep(finding, tuple(_trail(recorder, order, self._root)))

    def _keep(self, finding: Finding, trail: tuple[Exchange, ...]) -> None:
        """The failure with the fewest requests of each kind."""
        key = key_of(finding)
        if not self._place.judged(finding) or key in self._passed_over:
            return
        kept = self.failures.get(key)
        if kept is None or len(trail) < len(kept.trail):
            self.failures[key] = Failure(engine=ENGINE, finding=finding, trail=trail)

    def unanswered(self, event: Any) -> None:
        """A call brought a network error: a finding of its own, unless it was our own clock that cut it off."""
        import requests

        error = getattr(event, "value", None) or getattr(event, "exception", None)
        if isinstance(error, requests.Timeout) and self._place.timer.over():
            return
        self.mute += 1
        request = getattr(error, "request", None)
        trail = () if request is None else (unanswered(request, self._root),)
        self._keep(Finding(ANSWERED, "a call got no answer", "an answer", _told(event)), trail)

    # --- what it proves

    @property
    def began(self) -> bool:
        """Whether a create was accepted: without one no link leads anywhere."""
        return self.family.beginning in self.succeeded

    def missing_links(self) -> list[str]:
        """Declared links that led nowhere yet: which ones the tool takes is a matter of chance."""
        return sorted({link for links in self.declared.values() for link in links} - self.links.keys())

    def vacuity(self) -> Iterator[str]:
        """Why the run proves nothing, if so."""
        if not self.calls:
            yield "no call was made"
            return
        if missing := sorted(self.declared.keys() - self.reached):
            yield f"never reached: {', '.join(missing)}"
        if self.family.beginning not in self.roots:
            yield f"the stateful phase does not begin with {self.family.beginning}"
        if missing := self.missing_links():
            every = len(missing) == sum(map(len, self.declared.values()))
            yield f"links never applied: {f'all {len(missing)}' if every else ', '.join(missing)}"
        if self.successes < LEAST_SUCCESS * self.meant or not self.meant:
            busy = f" ({self.busy} were told to come back later)" if self.busy else ""
            yield f"only {self.successes} of {self.meant} calls below /{self.family.collection} succeeded{busy}"

    def notes(self) -> Iterator[str]:
        """What is worth knowing of a search that proves something."""
        if refused := sorted(self.declared.keys() - self.succeeded):
            yield f"never succeeded: {', '.join(refused)}"
        if self.mute > 1:
            yield f"{self.mute} calls below /{self.family.collection} got no answer"


def _was_meant(case: Any) -> bool:
    """Whether the call was generated to be right: the others count for no share, however many a phase makes."""
    return case.meta is None or case.meta.generation.mode.is_positive


def _reads(recorder: Any, case_id: str) -> bool:
    """Whether the call is a GET: that a resource has no cancel, say, is no sign that it is not there."""
    return str(recorder.interactions[case_id].request.method).upper() == "GET"


def _refused(recorder: Any, case_id: str) -> bool:
    response = recorder.find_response(case_id=case_id)
    return response is not None and response.status_code >= 400


def _told(event: Any) -> str:
    """The words of an error event: not all of them have the same fields."""
    info = getattr(event, "info", None)
    return str(getattr(info, "message", info or getattr(event, "exception", event))).strip()[:300]


def _link_name(transition: Any) -> str:
    """`POST /interactions: get` of the tool's `POST /interactions -> [200] get -> GET …`."""
    source, _, rest = str(transition.id).partition(" -> [")
    name = rest.partition("] ")[2].partition(" -> ")[0]
    return f"{source}: {name}"


def _trail(recorder: Any, order: Sequence[str], root: str) -> Iterator[Exchange]:
    """The calls of these cases, as far as they were answered."""
    for case_id in order:
        interaction = recorder.interactions.get(case_id)
        if interaction is not None and interaction.response is not None:
            yield exchange_of(interaction.response.request, interaction.response, root)
