"""The two surfaces that serve the API, where they differ: the Gemini API and Vertex.

Layer 2. A table; each field says what it decides, and recordings or live probes are the source of every value.
`any` is neither: it takes what either takes and shows what any document promises, so that every rule of the
contract can be tried on it. Must not know how an answer is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What one surface does.

    spelled_ids      whether an event id spells the place of its event in base64; else it is an opaque tag
    event_ids        which events of a background run carry an id when the setting `event_ids` is `auto`
    echoes           the fields of a create that the interaction repeats
    refuses          fields of a create that it refuses although the schema lists them, with what to do instead
    refuses_tools    types of tools that it refuses although the schema lists them
    strict           whether it refuses what live probes saw refused although no document says so
    names_author     whether the runs of agents name their agent
    early_sandbox    whether interaction.created names the environment; else interaction.completed does
    counts_nothing   whether the end of a stream shows totals of zero and the tier; else the output by modality
    counts_prompt    whether usage shows the prompt as the model got it (`raw_prompt_token`, recorded since August)
    agents_think     whether the runs of agents show thoughts; else only what they did
    agents_wait      whether agents run in the background only, and in an environment that the request names
    provisions       whether a GET of an agent's run begins with the step that made its sandbox
    screens_keys     whether a key that nobody knows is refused by the front end, with 400; else 401 as documented
    """

    event_ids: str
    echoes: tuple[str, ...]
    spelled_ids: bool = True
    refuses: Mapping[str, str] = field(default_factory=dict)
    refuses_tools: frozenset[str] = frozenset()
    strict: bool = True
    names_author: bool = True
    early_sandbox: bool = True
    counts_nothing: bool = True
    counts_prompt: bool = False
    agents_think: bool = True
    agents_wait: bool = False
    provisions: bool = False
    screens_keys: bool = False


_ALONE = "this surface has no such field: leave it out"

_VERTEX = "it is not available on the Gemini API, but Vertex has it: leave it out"

GEMINI = Platform(
    event_ids="some",
    echoes=("webhook_config", "agent_config"),
    refuses={
        "labels": _VERTEX,
        "safety_settings": _VERTEX,
        "cached_content": _ALONE,
        "response_mime_type": "use 'response_format' with its 'mime_type'",
    },
    refuses_tools=frozenset({"retrieval"}),
    counts_prompt=True,
    screens_keys=True,
)
VERTEX = Platform(
    event_ids="none",
    echoes=("labels", "webhook_config", "agent_config"),
    names_author=False,
    early_sandbox=False,
    counts_nothing=False,
    agents_think=False,
    agents_wait=True,
    provisions=True,
)
ANY = Platform(
    event_ids="all",
    echoes=("previous_interaction_id", "labels", "webhook_config", "agent_config"),
    spelled_ids=False,
    strict=False,
)

PLATFORMS: Mapping[str, Platform] = {"gemini": GEMINI, "vertex": VERTEX, "any": ANY}
"""By the value of the setting `platform`."""


def find_platform(name: str, *, vertex: bool) -> Platform:
    """Return the surface of a call; a path in Vertex's form is Vertex's, unless the setting says `any`."""
    return VERTEX if vertex and name == "gemini" else PLATFORMS[name]
