"""One client's try at one case: what it talks to, what it was really given, and what it did wrong.

Layer 4. A client is whoever sends requests to `service`: code under test in this process, or a command.
"""

from __future__ import annotations

from typing import Any

from harness.contract import PROTOCOL
from harness.contract.assembly import assembled
from harness.contract.output import steps_text
from harness.faults import cut
from harness.runner.drops.case import Case
from harness.runner.drops.once import judge
from harness.runner.drops.source import Source
from harness.runner.drops.witness import Seen, Witness, grouped


class Drop:
    """A `case` over a source; give its `service` to the client, and its `id` as the interaction to read."""

    def __init__(self, source: Source, case: Case) -> None:
        self.case = case
        self.id = source.id
        self.service = self._witness = Witness(cut(source.service, case.plan, PROTOCOL))
        self._source = source

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the whole stream; asking lets the run come to its end."""
        return self._source.whole_of(self._created())

    @property
    def text(self) -> str:
        """The text that the client must end up with."""
        return steps_text(assembled(self.events))

    @property
    def streams(self) -> list[Seen]:
        """What the client was given when it asked for a stream, refusals included."""
        return self._witness.streams

    @property
    def hopeless(self) -> bool:
        """Whether giving up is right: the client's own create broke off before it told the id.

        Nothing can be resumed without it, and to post a create again makes a second interaction.
        """
        creates = [one for one in self._witness.seen if one.is_create]
        return bool(creates) and not any(one.created() for one in creates)

    def problem(self, collected: Any) -> str:
        """What the client did wrong, as a phrase whose subject it is; "" when nothing.

        `collected` is what it ended with: the text, the events, or the interaction.
        """
        return judge(self.events, collected, self._witness.seen)

    def wire(self) -> list[str]:
        """What went over the wire, a line a request; repetitions are counted."""
        return grouped(map(str, self._witness.seen))

    def _created(self) -> str:
        """The interaction that the client created itself, if it did, else the one it was given."""
        made = (one.created() for one in self._witness.seen)
        return next(filter(None, made), self.id)
