"""What a broken rule does to a user, and which breaches a client cannot notice. Layer 1, a table.

First what makes a client believe in a wrong end, then text that is lost, doubled or changed, then mixed up ids.
Every other rule does less harm.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.outcome import Harm

_STATUS = """
    create.status create.final bg.settles bg.survives-hangup bg.no-regress bg.transition
    bg.failed-visible bg.incomplete-visible cancel.state cancel.stays cancel.stream-ends cancel.keeps-result
    cancel.keeps-background-result stream.completed-status stream.completed-last stream.terminal
    stream.end-matches-get tool.requires-action tool.stream-status chain.takes-effect store.false-get del.gone
    err.stream-prestream stream.closes
"""
_TEXT = """
    create.ok create.generation stream.legacy-names
    get.ok get.same get.matches-post bg.result stream.opens stream.framing stream.json stream.surrogates
    stream.text stream.equals-get stream.start-before stream.stop-once stream.args-join stream.index-reuse
    resume.opens resume.replay resume.no-gap resume.exclusive resume.live resume.from-create resume.finished
    resume.encoded resume.two-readers
    chain.stored chain.whole-history chain.streamed chain.parent-unchanged chain.own-steps tool.stream-call
    create.unicode rob.concurrent-streams
"""
_IDS = """
    create.id create.id-unique bg.create bg.same-id stream.id-constant stream.evid-unique resume.same-id
    resume.ids-stable chain.ok tool.ids-unique tool.call-fields steps.result-match store.isolation rob.concurrent
"""

HARMS: Mapping[str, Harm] = {
    rule: harm
    for harm, rules in ((Harm.STATUS, _STATUS), (Harm.TEXT, _TEXT), (Harm.IDS, _IDS))
    for rule in rules.split()
}
"""By the id of a rule."""

_NOTICED = """
    create.ok create.generation stream.legacy-names stream.closes
    bg.settles bg.survives-hangup cancel.stream-ends err.stream-prestream get.ok stream.opens
    stream.json resume.opens create.id bg.create chain.ok tool.call-fields steps.result-match
"""
"""Rules with a harm whose breach shows: an error, a wait, a field that is missing."""

SILENT: frozenset[str] = frozenset(HARMS) - frozenset(_NOTICED.split())
"""Rules whose breach a client cannot notice: what it gets looks whole and right."""
