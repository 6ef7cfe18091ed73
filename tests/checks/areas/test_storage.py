"""The judges of the checks on reading, on `store=false` and on ownership, on hand-made exchanges."""

from __future__ import annotations

from array import array

from msgspec.structs import replace

from harness.wire import By, Ending, Exchange, How
from harness.wire.message import Arrivals
from tests.checks._play import (
    CRASH,
    DEAD,
    EMPTY,
    MISSING,
    REFUSED,
    answer,
    case,
    interaction,
    page_cases,
    refusal,
    stream_of,
)

# --- reading, on `store=false` and on ownership, on hand-made exchanges

OK = answer(body=interaction())
HIDDEN = refusal(403, "permission_denied")
INPUT = {"type": "user_input", "content": [{"type": "text", "text": "Say hi."}]}
OTHER = answer(body=interaction(steps=[{"type": "model_output", "content": [{"type": "text", "text": "Ho."}]}]))
TIMELINE = answer(body=interaction(steps=[INPUT, *interaction()["steps"]]))
BOTH = answer(body=interaction(steps=[INPUT, *interaction()["steps"]], input="Hi."))
RUNNING = answer(body=interaction(status="in_progress"))


def asked_for(text):
    """A create with this input, and its answer."""
    return answer(body=interaction(), method="POST", target="/v1beta/interactions", sent={"input": text})


ERROR = {"event_type": "error", "error": {"code": "not_found", "message": "No."}}


THEIRS = answer(body=interaction(model="own"))


def apart(refused=(), **changed):
    """The answers to another project's calls: correct ones, except those that are replaced."""
    plain = {
        "refused": {**dict.fromkeys(("looked", "streamed", "cancelled", "deleted"), MISSING), **dict(refused)},
        "chained": {"plain": MISSING},
        "listed": None,
        "own": OK,
        "stopped": None,
        "run": None,
        "knows_keys": True,
        "later": None,
    }
    return {**plain, **changed}


def routes(**changed):
    """The answers to another project's calls of a voice: correct ones, except those that are replaced."""
    usual = {
        **dict.fromkeys(("GET", "PATCH", "DELETE"), MISSING),
        "list": answer(body={"voices": []}),
        "own": OK,
        "known": OK,
    }
    places = {"list": "GET voices", **{name: f"{name} voices" for name in ("known", "later")}}
    return {places.get(name, f"{name} voices/{{id}}"): found for name, found in {**usual, **changed}.items()}


ELEVEN = [{"id": f"i{number}"} for number in range(11)]


def listing(*entries, token=""):
    """A page of the list of interactions."""
    return answer(body={"interaction_metadatas": [*entries], **({"next_page_token": token} if token else {})})


def sizes(outcome, why, unsized, sized, expected=("i0",)):
    """A case of the sizes of pages, without `page_size` and with a large one."""
    return case("page.interactions-size", outcome, why, unsized=unsized, sized=sized, made=list(expected))


TEN = listing(*ELEVEN[:10], token="p2")


def shows_image(data: str) -> Exchange:
    """An interaction with an image."""
    return answer(body=interaction(steps=[{"type": "model_output", "content": [{"type": "image", "data": data}]}]))


ANOTHER = answer(body=interaction(id="v1_two"))
CASES = [
    *page_cases("page.interactions", "interaction_metadatas", whole="whole"),
    sizes("met", "ten of eleven", TEN, listing(*ELEVEN)),
    sizes("met", "fewer, and a token", listing(ELEVEN[0], token="p2"), listing(*ELEVEN)),
    sizes("met", "so large a page refused", TEN, REFUSED),
    sizes("met", "the most", TEN, listing(*({"id": f"o{number}"} for number in range(500)), token="p2")),
    sizes("not_met", "eleven without a size", listing(*ELEVEN), listing(*ELEVEN)),
    sizes("not_met", "more than the most", TEN, listing(*({"id": f"o{number}"} for number in range(501)))),
    sizes("not_met", "one is missing and no token", listing(*ELEVEN[1:]), listing(*ELEVEN)),
    sizes("not_met", "one is missing in a large page", TEN, listing(*ELEVEN[1:])),
    case("get.ok", "met", "at once", created=OK, other=OK, slashed=[], reads=[OK]),
    case("get.ok", "non_strict", "late", created=OK, other=OK, slashed=[], reads=[MISSING, MISSING, OK]),
    case("get.ok", "not_met", "another id", created=OK, other=OK, slashed=[], reads=[ANOTHER]),
    case("get.ok", "not_met", "dead", created=OK, other=OK, slashed=[], reads=[DEAD]),
    case("get.ok", "met", "at its path for once", created=OK, other=OK, reads=[OK], slashed=[MISSING, OK, OK]),
    case("get.ok", "not_met", "not at its path", created=OK, other=OK, reads=[OK], slashed=[MISSING, OK, MISSING]),
    case("get.same", "met", "the same but for its times", got=OK, again=answer(
        body=interaction(updated="2026-11-20T09:00:00Z")
    )),
    case("get.same", "untestable", "still running", got=RUNNING, again=OK),
    case("get.same", "not_met", "other steps", got=OK, again=OTHER),
    case("get.constant", "met", "the same time in another form", created=OK, got=OK, again=answer(
        body=interaction(created="2026-11-20T08:00:00.25+01:00")
    )),
    case("get.constant", "met", "a view without it", created=OK, again=OK, got=answer(
        body=interaction(created=None)
    )),
    case("get.constant", "untestable", "nothing to compare", got=OK, again=OK, created=answer(
        body=interaction(created=None, object=None, model=None)
    )),
    case("get.constant", "met", "the same model with its prefix", created=OK, again=OK, got=answer(
        body=interaction(model="models/gemini-3.8-flash")
    )),
    case("get.constant", "non_strict", "another model", created=OK, again=OK, got=answer(
        body=interaction(model="gemini-2.5-pro")
    )),
    case("get.constant", "not_met", "another object", created=OK, again=OK, got=answer(
        body=interaction(object="thing")
    )),
    case("get.matches-post", "met", "with the input", created=OK, got=TIMELINE, with_input=OK),
    case("get.matches-post", "not_met", "the input alone", created=OK, got=OK,
         with_input=answer(body=interaction(steps=[INPUT]))),
    case("get.matches-post", "met", "a field `input` alone", created=OK, got=OK, with_input=REFUSED),
    case("get.matches-post", "not_met", "other output", created=OK, got=OTHER, with_input=OK),
    case("get.matches-post", "not_met", "cut data", created=shows_image("QUJDREVG"), got=shows_image("QUJD"),
         with_input=OK),
    case("get.usage", "untestable", "not in GET", created=OK, got=answer(body=interaction(usage=None))),
    case("get.usage", "not_met", "other counts", created=OK, got=answer(
        body=interaction(usage={"total_tokens": 6})
    )),
    case("get.user-input", "not_met", "absent", got=OK),
    case("get.own-input", "met", "no input", created=asked_for("Say hi."), got=OK, inputs=[OK, OK]),
    case("get.own-input", "not_met", "a part", created=asked_for("Say hi, and more."), got=TIMELINE, inputs=[]),
    case("get.own-input", "not_met", "by order", created=asked_for("Hi."), got=OK, inputs=[OK, TIMELINE, OK]),
    case("get.own-input", "not_met", "both", created=asked_for("Hi."), got=OK, inputs=[TIMELINE, BOTH, TIMELINE]),
    case("get.own-input", "met", "late", created=asked_for("Hi."), got=OK, inputs=[OK, TIMELINE, TIMELINE]),
    case("get.include-input", "met", "as a field", with_input=answer(body=interaction(input="Say hi."))),
    case("get.include-input", "met", "as a step", with_input=TIMELINE),
    case("get.include-input", "not_met", "ignored", with_input=OK),
    case("get.cursor-no-stream", "met", "ignored", with_cursor=OK),
    case("get.cursor-no-stream", "not_met", "a stream", with_cursor=stream_of(b"[EMPTY]")),
    case("get.unknown", "met", "no id of ours", read=REFUSED),
    case("get.unknown", "non_strict", "forbidden", read=HIDDEN),
    case("store.false-get", "met", "no id", created=answer(body=interaction(id=None)), got=[]),
    case("store.false-get", "met", "404", created=OK, got=[MISSING]),
    case("store.false-get", "non_strict", "400", created=OK, got=[REFUSED]),
    case("store.false-get", "untestable", "refused", created=REFUSED, got=[]),
    case("store.false-get", "not_met", "crash", created=CRASH, got=[]),
    case("store.false-get", "not_met", "kept", created=OK, got=[OK]),
    case("store.false-get", "met", "no stream is kept", created=OK, got=[MISSING]),
    case("store.false-get", "not_met", "a stream is kept", created=OK, got=[OK]),
    case("store.false-chain", "met", "404", created=OK, chained=[MISSING]),
    case("store.false-chain", "not_met", "continued", created=OK, chained=[OK]),
    case("store.isolation", "met", "403, and 400 to the chain",
         **apart({"looked": HIDDEN}, chained={"plain": REFUSED})),
    case("store.isolation", "not_met", "readable", **apart({"looked": OK})),
    case("store.isolation", "non_strict", "a stream of nothing", **apart({"streamed": stream_of()})),
    case("store.isolation", "not_met", "continuable", **apart(chained={"plain": OK})),
    case("store.isolation", "not_met", "continuable in a mode", **apart(chained={"plain": MISSING, "later": OK})),
    case("store.isolation", "met", "an error event",
         **apart(chained={"plain": MISSING, "later": stream_of(ERROR, b"[EMPTY]")})),
    case("store.isolation-kept", "met", "refused", routes=routes(), knows_keys=True),
    case("store.isolation-kept", "met", "405", routes=routes(PATCH=answer(405), GET=answer(500)), knows_keys=True),
    case("store.isolation-kept", "met", "a DELETE of nothing", routes=routes(DELETE=EMPTY), knows_keys=True),
    case("store.isolation-kept", "not_met", "readable", routes=routes(GET=OK), knows_keys=True),
    case("store.isolation-kept", "not_met", "gone", routes=routes(DELETE=EMPTY, own=MISSING), knows_keys=True),
    case("store.isolation-kept", "not_met", "hidden as it is gone", routes=routes(DELETE=EMPTY, own=HIDDEN),
         knows_keys=True),
    case("store.isolation-kept", "met", "a moment of 404", routes=routes(own=MISSING), knows_keys=True),
    case("store.isolation-kept", "non_strict", "an empty list", knows_keys=True,
         routes={**routes(), "GET voices/{id}/samples": answer(body={"samples": []})}),
    case("store.isolation-kept", "not_met", "a list", knows_keys=True,
         routes={**routes(), "GET voices/{id}/samples": answer(body={"samples": [{}]})}),
    case("store.isolation-kept", "not_met", "listed", knows_keys=True,
         routes=routes(list=answer(body={"voices": [{"id": "x"}]}))),
    case("store.isolation-kept", "untestable", "no keys", routes=routes(GET=OK), knows_keys=False),
    case("store.isolation-kept", "not_applicable", "keeps nothing", routes={}, knows_keys=True),
    case("store.isolation", "met", "numbered apart", **apart({"looked": THEIRS}, later=THEIRS)),
    case("store.isolation", "not_met", "gone with it", **apart({"looked": THEIRS}, later=MISSING)),
    case("store.isolation", "not_met", "another", **apart({"looked": answer(body=interaction(id="v1_two"))})),
    case("store.isolation", "met", "a run goes on", **apart(stopped=MISSING, run=RUNNING)),
    case("store.isolation", "not_met", "the cancel of a run is taken", **apart(stopped=OK, run=RUNNING)),
    case("store.isolation", "non_strict", "cannot delete", **apart({"deleted": answer(501)})),
    case("store.isolation", "met", "a DELETE of nothing", **apart({"deleted": answer(body={})})),
    case("store.isolation", "not_met", "deletable", **apart({"deleted": answer(body={})}, own=MISSING)),
    case("store.isolation", "not_met", "listed", **apart(listed=listing({"id": "v1_one"}))),
    case("store.isolation", "met", "others are listed", **apart(listed=listing({"id": "v1_two"}))),
    case("store.isolation", "not_met", "refused and deleted", **apart(own=MISSING)),
    case("store.isolation", "non_strict", "keyless",
         **apart({"looked": OK, "deleted": OK}, chained={"plain": OK}, knows_keys=False)),
]  # fmt: skip


# --- deleting, on hand-made exchanges

CREATED = {"event_type": "interaction.created", "interaction": {"id": "v1_one", "status": "completed"}}

REPLAYED = stream_of(CREATED)
STALLED = replace(stream_of(CREATED), ending=Ending(by=By.LIMIT, how=How.STALL, detail="nothing came"))
SILENT = replace(STALLED, ending=Ending(by=By.LIMIT, how=How.TIMEOUT), seconds=15.0)
GOING_ON = replace(SILENT, arrivals=Arrivals(array("Q", [20, 20]), array("d", [0.1, 14.0]), 2))
REPLAYED_AND_ENDED = stream_of(CREATED, ERROR)
SECOND = answer(body=interaction(id="v1_two"))

DELETED = {"deleted": EMPTY, "streamed_deleted": None, "streamed_gone": []}
UNSTREAMED = {"deleted": EMPTY, "streamed_deleted": None, "streamed_gone_stream": None}
CASES += [
    case("del.ok", "met", "an empty object", deleted=EMPTY),
    case("del.ok", "met", "no body", deleted=answer(204, label=None)),
    case("del.ok", "non_strict", "more than that", deleted=answer(body={"success": True, "id": "v1_one"})),
    case("del.ok", "not_met", "refused", deleted=answer(405)),
    case("del.ok", "not_met", "dead", deleted=DEAD),
    case("del.gone", "met", "late", **DELETED, gone_input=MISSING, gone=[OK, MISSING], later=[MISSING, MISSING]),
    case("del.gone", "not_met", "kept", **DELETED, gone_input=MISSING, gone=[OK, OK], later=[OK]),
    case("del.gone", "not_met", "another refusal", **DELETED, gone_input=MISSING, gone=[REFUSED], later=[]),
    case("del.gone", "not_met", "with its input", **DELETED, gone_input=OK, gone=[MISSING], later=[MISSING]),
    case(
        "del.gone",
        "not_met",
        "kept, as it was streamed",
        **{**DELETED, "streamed_deleted": EMPTY, "streamed_gone": [OK, OK]},
        gone_input=MISSING,
        gone=[MISSING],
        later=[],
    ),
    case(
        "del.gone-stream",
        "not_met",
        "replayed, as it was streamed",
        gone_stream=MISSING,
        **{**UNSTREAMED, "streamed_deleted": EMPTY, "streamed_gone_stream": REPLAYED},
    ),
    case("del.gone-stream", "met", "404", **UNSTREAMED, gone_stream=MISSING),
    case("del.gone-stream", "met", "an error event", **UNSTREAMED, gone_stream=stream_of(ERROR, b"[EMPTY]")),
    case("del.gone-stream", "non_strict", "410", **UNSTREAMED, gone_stream=answer(410)),
    case("del.gone-stream", "not_met", "replayed", **UNSTREAMED, gone_stream=REPLAYED),
    case("del.gone-stream", "not_met", "replayed, then an error", **UNSTREAMED, gone_stream=REPLAYED_AND_ENDED),
    case("del.gone-stream", "not_met", "an empty stream", **UNSTREAMED, gone_stream=stream_of()),
    case("del.twice", "not_met", "crash", deleted=EMPTY, deleted_again=CRASH),
    case("del.chain-after", "met", "404", deleted=EMPTY, chained={"plain": MISSING}),
    case("del.chain-after", "not_met", "later", deleted=EMPTY, chained={"plain": MISSING, "later": OK}),
    case("del.isolated", "untestable", "not deleted", deleted=CRASH, second=OK, other=OK),
    case("del.isolated", "not_met", "gone too", deleted=EMPTY, second=OK, other=MISSING),
    case("del.isolated", "not_met", "another one", deleted=EMPTY, second=OK, other=SECOND),
    case("del.unknown", "met", "success", deleted=EMPTY),
    case("del.stays-gone", "untestable", "refused", deleted=REFUSED, gone=[OK], later=[OK]),
    case("del.stays-gone", "not_met", "still there", deleted=EMPTY, gone=[OK], later=[OK]),
    case("del.stays-gone", "untestable", "another refusal", deleted=EMPTY, gone=[REFUSED], later=[REFUSED]),
    case("del.running", "met", "refused", deleted=REFUSED, gone=[OK], later=[OK]),
    case("del.running", "not_met", "still there", deleted=EMPTY, gone=[OK], later=[OK]),
    case("del.reader-ends", "not_applicable", "not deleted", deleted=REFUSED, stream=REPLAYED),
    case("del.reader-ends", "untestable", "not streamed", deleted=EMPTY, stream=MISSING),
    case("del.reader-ends", "not_met", "it hangs", deleted=EMPTY, stream=STALLED),
    case("del.reader-ends", "untestable", "it still goes on", deleted=EMPTY, stream=GOING_ON),
    case("del.running", "not_met", "crash", deleted=CRASH, gone=[OK], later=[]),
]
