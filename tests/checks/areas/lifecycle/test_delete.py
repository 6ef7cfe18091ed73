"""The judges of the checks on deleting, on hand-made exchanges."""

from __future__ import annotations

from array import array
from dataclasses import replace

from harness.wire import By, Ending, How
from harness.wire.exchange import Arrivals
from tests.checks._play import answer, case, interaction, refusal, stream_of

OK = answer(body=interaction())
DONE = answer(body={})
BAD = refusal(400)
GONE = refusal(404, "not_found")
CRASH = refusal(500, "api_error")
DEAD = answer(None)
ERROR = {"event_type": "error", "error": {"code": "not_found", "message": "No."}}
CREATED = {"event_type": "interaction.created", "interaction": {"id": "v1_one", "status": "completed"}}

REPLAYED = stream_of(CREATED)
STALLED = replace(stream_of(CREATED), ending=Ending(by=By.LIMIT, how=How.STALL, detail="nothing came"))
SILENT = replace(STALLED, ending=Ending(by=By.LIMIT, how=How.TIMEOUT), seconds=15.0)
GOING_ON = replace(SILENT, arrivals=Arrivals(array("Q", [20, 20]), array("d", [0.1, 14.0]), 2))
REPLAYED_AND_ENDED = stream_of(CREATED, ERROR)
OTHER = answer(body=interaction(id="v1_two"))

CASES = [
    case("del.ok", "met", "an empty object", deleted=DONE),
    case("del.ok", "met", "no body", deleted=answer(204, label=None)),
    case("del.ok", "non_strict", "more than that", deleted=answer(body={"success": True, "id": "v1_one"})),
    case("del.ok", "not_met", "refused", deleted=answer(405)),
    case("del.ok", "not_met", "dead", deleted=DEAD),
    case("del.gone", "met", "late", deleted=DONE, gone=[OK, GONE], later=[GONE, GONE]),
    case("del.gone", "untestable", "not deleted", deleted=BAD, gone=[OK], later=[]),
    case("del.gone", "not_met", "kept", deleted=DONE, gone=[OK, OK], later=[OK]),
    case("del.gone", "not_met", "another refusal", deleted=DONE, gone=[BAD], later=[]),
    case("del.gone", "not_met", "back again", deleted=DONE, gone=[GONE], later=[GONE, OK]),
    case("del.gone-stream", "met", "404", deleted=DONE, gone_stream=GONE),
    case("del.gone-stream", "met", "an error event", deleted=DONE, gone_stream=stream_of(ERROR, b"[DONE]")),
    case("del.gone-stream", "non_strict", "410", deleted=DONE, gone_stream=answer(410)),
    case("del.gone-stream", "not_met", "replayed", deleted=DONE, gone_stream=REPLAYED),
    case("del.gone-stream", "not_met", "replayed, then an error", deleted=DONE, gone_stream=REPLAYED_AND_ENDED),
    case("del.gone-stream", "not_met", "an empty stream", deleted=DONE, gone_stream=stream_of()),
    case("del.twice", "met", "404", deleted=DONE, deleted_again=GONE),
    case("del.twice", "met", "again", deleted=DONE, deleted_again=DONE),
    case("del.twice", "not_met", "crash", deleted=DONE, deleted_again=CRASH),
    case("del.chain-after", "met", "404", deleted=DONE, chained=GONE),
    case("del.chain-after", "met", "400", deleted=DONE, chained=BAD),
    case("del.chain-after", "not_met", "continued", deleted=DONE, chained=OK),
    case("del.isolated", "met", "readable", deleted=DONE, second=OK, other=OK),
    case("del.isolated", "untestable", "not deleted", deleted=CRASH, second=OK, other=OK),
    case("del.isolated", "not_met", "gone too", deleted=DONE, second=OK, other=GONE),
    case("del.isolated", "not_met", "another one", deleted=DONE, second=OK, other=OTHER),
    case("del.unknown", "met", "404", unknown=GONE),
    case("del.unknown", "met", "success", unknown=DONE),
    case("del.unknown", "not_met", "crash", unknown=CRASH),
    case("del.running", "met", "gone", deleted=DONE, gone=[OK, GONE], later=[GONE]),
    case("del.running", "met", "refused", deleted=BAD, gone=[OK], later=[OK]),
    case("del.running", "not_met", "still there", deleted=DONE, gone=[OK], later=[OK]),
    case("del.running", "not_met", "written back", deleted=DONE, gone=[GONE], later=[OK]),
    case("del.reader-ends", "met", "an error event", deleted=DONE, stream=stream_of(CREATED, ERROR)),
    case("del.reader-ends", "met", "without a word", deleted=DONE, stream=REPLAYED),
    case("del.reader-ends", "not_applicable", "not deleted", deleted=BAD, stream=REPLAYED),
    case("del.reader-ends", "untestable", "not streamed", deleted=DONE, stream=GONE),
    case("del.reader-ends", "not_met", "it hangs", deleted=DONE, stream=STALLED),
    case("del.reader-ends", "not_met", "nothing comes any more", deleted=DONE, stream=SILENT),
    case("del.reader-ends", "untestable", "it still goes on", deleted=DONE, stream=GOING_ON),
    case("del.running", "not_met", "crash", deleted=CRASH, gone=[OK], later=[]),
]
