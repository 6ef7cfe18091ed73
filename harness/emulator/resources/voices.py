"""The voices resource: prompted and replicated voices of a project beside the prebuilt ones.

Nothing is synthesized: a prompted voice comes with a short silent sample. Source: google-genai 3.4. Its default of
`store` is false; a guide has true, and only `prompted` voices, which need it, show the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from harness.emulator.create.limits import is_base64
from harness.emulator.resources.collection import ExpiringResource, ResourceContext, listing, page
from harness.emulator.values.call import Call, invalid, over_quota
from harness.emulator.values.samples import WAV
from harness.emulator.values.stamps import later
from harness.wire import Request

Json = dict[str, Any]

MOST_VOICES = 200
"""Stored voices of one project (guide)."""
DAYS_KEPT, DAYS_OF_A_KEY = 365, 7
"""Days until an unused stored voice expires, and until the key of one that is not stored does (guide)."""

_MODEL = "gemini-3.8-flash-tts-preview"
_FILTERS = ("accent", "context", "gender", "language_code", "persona", "pitch", "region_code", "type")
_DESCRIBES = ("accent", "context", "description", "display_name", "gender", "language_code", "model", "persona",
              "pitch", "region_code")  # fmt: skip


PREBUILT = {
    "Zephyr": "Bright", "Puck": "Upbeat", "Charon": "Informative", "Kore": "Firm", "Fenrir": "Excitable",
    "Leda": "Youthful", "Orus": "Firm", "Aoede": "Breezy", "Callirrhoe": "Easy-going", "Autonoe": "Bright",
    "Enceladus": "Breathy", "Iapetus": "Clear", "Umbriel": "Easy-going", "Algieba": "Smooth", "Despina": "Smooth",
    "Erinome": "Clear", "Algenib": "Gravelly", "Rasalgethi": "Informative", "Laomedeia": "Upbeat",
    "Achernar": "Soft", "Alnilam": "Firm", "Schedar": "Even", "Gacrux": "Mature", "Pulcherrima": "Forward",
    "Achird": "Friendly", "Zubenelgenubi": "Casual", "Vindemiatrix": "Gentle", "Sadachbia": "Lively",
    "Sadaltager": "Knowledgeable", "Sulafat": "Warm",
}  # fmt: skip
"""The voices that every project has, with their characters, as the speech guide lists them."""


class Voices(ExpiringResource[Json]):
    """Voices per project."""

    name, noun = "voices", "voice"

    def __init__(self, context: ResourceContext) -> None:
        super().__init__(context)
        self._prebuilt = {
            name: {"id": name, "type": "prebuilt", "display_name": name, "description": character}
            for name, character in PREBUILT.items()
        }

    def delete(self, call: Call, voice_id: str) -> Json:
        if voice_id in self._prebuilt:
            raise invalid(f"The voice {voice_id!r} is prebuilt: only custom voices can be deleted.")
        return super().delete(call, voice_id)

    def view(self, item: Json) -> Json:
        return item

    def find_expiry(self, item: Json) -> str:
        """A year after the voice was made, or last served as the base of another one."""
        return str(item["expire_time"])

    def create(self, call: Call) -> Json:
        self.drop_expired()
        body = self._reader.read("requests/create-voice", call.body)
        voice, store = body["voice"], body.get("store") is True
        kind = voice["type"]
        if kind == "prompted":
            return self._design(voice, store, call.project)
        if kind == "replicated":
            return self._replicate(voice, store, call.project)
        raise invalid(f"A voice of type {kind!r} cannot be created: the type must be prompted or replicated.")

    def _design(self, voice: Json, store: bool, project: str) -> Json:
        if not voice.get("prompted", {}).get("input"):
            raise invalid("A prompted voice needs 'prompted' with an 'input' that describes it.")
        if not store:
            raise invalid('A prompted voice is always stored: send "store": true.')
        base = voice["prompted"].get("base_voice")
        if base and "expire_time" in (voice_used := self.require(project, base)):
            # its use as a base begins the year of a voice again
            voice_used["expire_time"] = later(self._stamps.now(), days=DAYS_KEPT)
        sample = {"data": WAV, "mime_type": "audio/wav"}
        return self._keep({**_describe(voice), "prompted": voice["prompted"], "sample_audio": sample}, project)

    def _replicate(self, voice: Json, store: bool, project: str) -> Json:
        given = voice.get("replicated")
        if not given:
            raise invalid("A replicated voice needs 'replicated' with 'source_audio' and 'consent_audio'.")
        for name in ("source_audio", "consent_audio"):
            if not given[name]["data"] or not is_base64(given[name]["data"]):
                raise invalid(f"'data' of 'voice.replicated.{name}' is not base64: encode the bytes of the audio.")
        if store:
            return self._keep(_describe(voice), project)
        # what describes a voice is neither kept nor shown for one that is not stored
        expires = later(self._stamps.now(), days=DAYS_OF_A_KEY)
        return {"type": "replicated", "key": self._stamps.ids("voicekey"), "model": _MODEL, "expire_time": expires}

    def _keep(self, fields: Json, project: str) -> Json:
        if len(self._projects.get(project, ())) >= MOST_VOICES:
            raise over_quota(f"A project has at most {MOST_VOICES} voices: delete one first.")
        expires = later(self._stamps.now(), days=DAYS_KEPT)
        voice = {"id": self._stamps.ids("voice"), "model": _MODEL, **fields, "expire_time": expires}
        self.add(project, voice["id"], voice)
        return voice

    def find(self, project: str, item_id: str) -> Json | None:
        """A voice of the project, or a prebuilt one."""
        return super().find(project, item_id) or self._prebuilt.get(item_id)

    def list_all(self, call: Call) -> Json:
        self.drop_expired()
        wanted = _read_filters(call.request)
        # the newest come first, and a page token holds a place, so the newest have the lowest
        own = ((-number, voice) for number, voice in reversed(self._projects.get(call.project, {}).values()))
        everything = [*own, *enumerate(self._prebuilt.values())]
        fitting = [(place, voice) for place, voice in everything if _fits(voice, wanted)]
        scope = f"voices {sorted(wanted.items())}"
        return listing("voices", *page(fitting, call.query, scope))


def _describe(voice: Json) -> Json:
    return {"type": voice["type"], **{name: voice[name] for name in _DESCRIBES if name in voice}}


def _read_filters(request: Request) -> dict[str, list[str]]:
    """Return the values of each filter in lower case; a filter may be repeated. Raises `Refusal` 400."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.target.partition("?")[2], keep_blank_values=True):
        if name in (*_FILTERS, "search"):
            found.setdefault(name, []).append(value.lower())
    search = found.get("search", [""])[-1]
    if len(search.encode()) > 2048:  # guide
        raise invalid(f"'search' has {len(search.encode())} bytes: at most 2048 are allowed.")
    return found


def _fits(voice: Mapping[str, Any], wanted: Mapping[str, list[str]]) -> bool:
    for name, values in wanted.items():
        if name == "search":
            text = f"{voice.get('display_name', '')}\n{voice.get('description', '')}".lower()
            if values[-1] not in text:
                return False
        elif str(voice.get(name, "")).lower() not in values:
            return False
    return True
