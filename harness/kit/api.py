"""`Api`: all that the engine, the benches and the reports know about the API they judge.

A value and the protocols of what it holds. The engine plans, sends, judges and decides; the forms of requests, the
meaning of responses and the rules come from here. A costly import is a `LateCall`, or behind a function whose name
begins with `load_` or `new_`, so that a command pays only for what it uses. All functions are defined at the top
of a module, because worker processes receive the value by pickling it. Must not know which API it is.

Users add rules, mutants and faults with modules of their own, which are found and loaded here;
`harness.extend.Extension` fills the parts.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import cache, partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from msgspec import Struct, field, structs

from harness.errors import UsageFault
from harness.outcome import Finding, Judgement, Rule, Where
from harness.wire import Clock, Exchange, Headers, Request, Response, StreamProtocol

if TYPE_CHECKING:
    from harness.kit.check import Check
    from harness.kit.client_model import ClientModel
    from harness.kit.mutant import Mutant

_import_once = cache(import_module)  # `sys.modules` also has a module that another thread has half imported


class LateCall(Struct, frozen=True):
    """Calls a function of a module, or returns a value of it; only the first call imports the module."""

    module: str
    name: str

    def __call__(self, *given: Any, **named: Any) -> Any:
        found = getattr(_import_once(self.module), self.name)
        return found(*given, **named) if callable(found) else found


class Lack(StrEnum):
    """Why a target does not have a capability; the first reasons take precedence over the later ones."""

    DENIED = "denied"
    """The user said so."""

    REFUSED = "refused"
    """The target refuses it (4xx, 501), or plainly has nothing of the kind: not offered, which is its right."""

    NOT_DONE = "accepted_not_done"
    """The target accepted what asks for it (2xx), and did something else."""

    UNDECLARED = "undeclared"
    """Nothing was asked: it cannot be found out that way."""

    UNSEEN = "unseen"
    """It was asked for, and neither refused nor seen."""


# The results of judging recorded files.
# Must not know which API was recorded.


ANSWERS = (".json", ".sse", ".events.jsonl")
"""Suffixes of the files that hold the response to a request, beside the file of that request."""


class UnjudgedEntry(NamedTuple):
    """A file that is not judged, or an entry of it; `entry` is empty if it is the file."""

    file: str
    entry: str
    reason: str


class Answer(NamedTuple):
    """A file that holds the response, beside the file of the request."""

    data: bytes
    is_json: bool


class Verification(Struct):
    """The result of a verification: the judged part, the part left out, and the findings.

    `entries` counts the judged exchanges, and files with a single stream, body or request. `judged` counts their
    contents, `rules` how often each rule was judged. An exchange may contain two, such as a request and a stream,
    or none, such as a delete without a body. `unrecognized` counts the exchanges of `left_out` that are no call
    of the API, `unjudged` those that are one and no transfer of a file. `shown` has, by broken rule, the place of
    the first finding in a stream, and the streams that show it, by the names of their entries; the name of a file
    that is one stream is "". `keys` are the values that requests and response headers name as keys.
    """

    entries: int = 0
    unrecognized: int = 0
    unjudged: int = 0
    judged: dict[str, int] = field(default_factory=lambda: {"streams": 0, "bodies": 0, "requests": 0})
    rules: Counter[str] = field(default_factory=Counter)
    left_out: list[UnjudgedEntry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    shown: dict[str, tuple[Where, tuple[tuple[str, Exchange], ...]]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)


SCRIPTABLE, TWO_KEYS = "script", "two-keys"
"""The capabilities that the engine itself settles: a control API was found, a second key was given."""

EXTENSION_VARIABLE, EXTENSION_GROUP = "HARNESS_EXTENSION", "harness.extensions"
"""What names the modules of users: a variable, with commas between several, and a group of entry points."""

PRIMARY_KEY, OTHER_KEY = "harness-primary-key", "harness-other-key"
"""The keys that a reference service in this process accepts, of two projects."""


def join_names(names: Iterable[str]) -> str:
    """The text of a variable that has these names; a comma in one is written twice."""
    return ",".join(name.replace(",", ",,") for name in names)


def split_names(text: str) -> list[str]:
    """The names in the text of a variable."""
    parts = (part.strip() for part in re.split(r"(?<!,),(?!,)", text))
    return [part.replace(",,", ",") for part in parts if part]


class ApiContract(Protocol):
    """One revision of the API: a value that is passed down, and knows its rules."""

    revision: str

    def holds(self, rule: Rule) -> bool:
        """Whether a rule applies in this revision."""


class ApiReading(Protocol):
    """The content of one exchange, and the findings about it."""

    call: str
    """The call of the API, such as `GET things/{id}`; "" if the request was for something else."""
    is_resumed: bool
    """Whether the answer is the rest of a stream that was begun in another exchange."""
    findings: tuple[Finding, ...]
    """The findings about this response alone."""
    judged: frozenset[str]
    """The rules that `findings` was decided by."""
    crash: tuple[Finding, ...]
    """The finding that a request that is right made the server fail; recordings are not judged by it."""
    emptiness: tuple[Finding, ...]
    """The finding that a success came whole and without the body that its call returns."""
    coded: tuple[Finding, ...]
    """Findings about the content coding of a response to a request of this program."""
    ambiguous: tuple[Finding, ...]
    """Findings about a response of which two readers see different values."""
    unlisted: tuple[Finding, ...]
    """Members of the response that the contract does not name: reported once for each kind, and no fault."""


Requests = TypeVar("Requests", bound="ApiRequests")
Known = TypeVar("Known", bound="ApiContract")


class ApiRequests(Protocol):
    """The known facts about one target, and the requests that follow from them; exercises receive it.

    `wait` is the number of seconds that a run at the target may take. If the target `keeps` nothing, no resource
    that it created is read again.
    """

    contract: ApiContract
    model: str
    agent: str
    key: str
    other_key: str
    headers: tuple[tuple[str, str], ...]
    wait: float
    keeps: bool
    capabilities: frozenset[str]
    says: Mapping[str, Any]

    def request(self, method: str, path: str, body: Any = None) -> Request:
        """A request below the version of the API, with the key; `path` has no leading slash."""

    def control(self, method: str, path: str, body: Any = None) -> Request:
        """A request to the harness's own control API, which only scriptable targets have."""

    def with_says(self: Requests, says: Mapping[str, Any]) -> Requests:
        """The same target, which needs these fields in every create."""

    def with_capabilities(
        self: Requests, present: frozenset[str], known: Container[str], says: Mapping[str, Any]
    ) -> Requests:
        """The same target, with what a probe found: the capabilities it has, and those whose state is `known`."""


class JudgesFile(Protocol):
    """Judges one file of recorded traffic, and adds what it finds to a `Verification`."""

    def judge(self, data: bytes, answers: Iterable[Answer] = ()) -> None:
        """Judge a file that is not YAML; `answers` are the response files beside a request's file.

        Raises Unreadable if the content does not fit the name of the file.
        """

    def documents(self, documents: list[Any]) -> None:
        """Judge the documents of a YAML file that is not a cassette."""

    def exchanges(self, entries: Iterable[tuple[str, Any]]) -> None:
        """Judge the entries of a recorder's file, each with its name: an exchange, or why it cannot be read."""


class JudgesHistory(Protocol):
    """Judges what several exchanges say of the same things; takes them in the order in which they ended."""

    def note(self, exchange: Exchange, /) -> Judgement:
        """Judge the next exchange by all that came before it."""

    def follow(self, request: Request, /) -> Callable[[list[dict[str, Any]]], Judgement] | None:
        """Return a judge of the next events of a resumed stream, which `note` judges as a whole when it ends."""


class CountsEnds(Protocol):
    """Counts how the runs of a target ended; several threads may share one."""

    def note(self, exchange: Exchange, /) -> None:
        """Note the end of a run, if the response shows one."""

    def describe(self) -> Iterable[str]:
        """Clauses that say which runs came to no result, ever, and what to do; none if some did."""


class JudgesRun(Protocol):
    """Finds what only a whole run of a service shows, such as a 404 for a stored run; one thread at a time."""

    def note(self, exchange: Exchange, /) -> Iterable[tuple[Exchange, Finding]]:
        """Judge the next exchange, and those before it that it shows to be wrong."""

    def for_service(self) -> JudgesRun:
        """A judge of another service of the run, which gives the same ids again; what one accepted, both know."""


class RunOrder(Protocol):
    """The request of a create: the id of the run it continues (`""`: none), and its input in a few words."""

    parent: str
    background: bool
    words: str


class EmbeddedService(Protocol):
    """A service of this API in this process, and the clock that its runs follow."""

    clock: Clock

    def __call__(self, request: Request, /) -> Response: ...


class Question(Struct, frozen=True):
    """A question of a probe: the capabilities that it settles, and the function that sends its requests."""

    settles: tuple[str, ...]
    ask: Callable[[Any], object]


class Greeting(Struct, frozen=True):
    """The answer to the first request that a target accepted, the fields it needs, and notes for the reader."""

    answer: Exchange
    says: Mapping[str, Any]
    notes: tuple[str, ...] = ()


class Probes(Struct, frozen=True, kw_only=True):
    """The parts of a probe: whether the API is there, each question, and the facts that no question can find.

    `greet` takes the requests of a target and a function that sends one; it raises TargetFault for another API.
    With `insist`, as the user declared capabilities, a refusal in the API's own words is judged like an answer.
    `remedies` have, by capability, the way to test the checks that need it ("with a second key"). `of_path` depend
    on the path, which a control API does not know: it may announce them, else they are probed. So is `always`.
    """

    greet: Callable[..., Greeting]
    questions: tuple[Question, ...]
    undiscoverable: tuple[str, ...] = ()
    of_path: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()
    remedies: Mapping[str, str] = field(default_factory=dict)


class Api(Struct, frozen=True, kw_only=True):
    """One API: its names, its contract, the judges of its traffic. Purposes that need more have a type below."""

    name: str
    """One word, for names of test cases and for recordings."""
    title: str
    """What it is called in headings."""
    server_origin: str
    """The dotted name under which printed code can import the `ServerApi`."""
    search_origin: str
    """The dotted name under which printed code can import the function that returns the `SearchModel`."""

    collection: str
    """The last segment of the URL of the resource that most calls are about."""
    collections: frozenset[str]
    """Last path segments for which POST creates something that DELETE removes."""
    reference_fields: tuple[str, ...]
    """Fields of a create that refer to what another create made."""
    live_hosts: tuple[str, ...]
    """Host names of the live service; `*` stands for a part of one label.

    They name the service itself, not the domain: other services of its operator hand requests to their customers.
    """
    key_header: str
    """The header that carries a key, in lower case."""
    key_variable: str
    """The environment variable for the user's key."""
    other_key_variable: str
    """The environment variable for the key of another project."""
    key_aliases: tuple[str, ...] = ()
    """Further environment variables that hold keys of clients: they are not used, but hidden in all output."""

    load_contract: Callable[[str], Any]
    """The `ApiContract` of a revision; "" means the one that is current. Raises LookupError for an unknown one."""
    load_protocol: Callable[[], StreamProtocol]
    read: Callable[[Exchange, Any], ApiReading]
    """The reading of an exchange, the same object on every call.

    Whoever receives the exchange names the contract to judge by; all who read it later pass None.
    """
    load_rules: Callable[[], Mapping[str, Rule]]
    """The rules of all revisions, by id, in the order in which they are shown."""
    load_areas: Callable[[], Mapping[str, str]]
    """What an area of rules is called in headings, by the part of their ids before the first dot."""
    load_extensions: Callable[[], Collection[str]] = tuple
    """The names of what users added, each of which begins the ids of its rules."""
    read_new_id: Callable[[Exchange], str]
    """The id that a create was answered with, which no other create may be given; "" for anything else."""
    read_order: Callable[[Request], RunOrder | None]
    """What a request asks for if it creates a run; None for any other request."""
    read_subject: Callable[[Request], str]
    """The id of the run that a request is about; "" if its path names none."""
    read_status: Callable[[Mapping[str, Any]], tuple[str, str] | None]
    """(run id, status) that a JSON answer or an event gives; None if it gives none. The id may be ""."""
    is_settled: Callable[[str], bool]
    """Whether a status is one that a run does not leave."""
    new_script: Callable[[Exchange, Any], dict[str, Any] | None]
    """The script with which the reference service answers as an exchange did; None if it has no output."""
    format_request: Callable[[Exchange], str]
    """A request in a few words, for messages."""
    format_answer: Callable[[Exchange], str]
    """An answer in a few words, for messages."""

    def fields(self) -> dict[str, Any]:
        """All of it by name, for the value of a purpose that has more."""
        return structs.asdict(self)

    def is_live_host(self, host: str) -> bool:
        return any(
            re.fullmatch(re.escape(name).replace(r"\*", "[a-z0-9-]+"), host.lower()) for name in self.live_hosts
        )

    def keys_in(self, environment: Mapping[str, str]) -> dict[str, str]:
        names = (self.key_variable, self.other_key_variable, *self.key_aliases)
        keys = {name: environment.get(name, "").strip() for name in names}
        return {name: key for name, key in keys.items() if key}

    def load_stated_contract(self, stated: str, otherwise: Known) -> Known:
        """The contract of the revision that a recording states; `otherwise` if it states none that is known."""
        try:
            known: Known = self.load_contract(stated) if stated else otherwise
        except (LookupError, OSError, ValueError):  # it may state anything, such as a name too long for a folder
            return otherwise
        return known


class RecordingsApi(Api, frozen=True, kw_only=True):
    """An API with all that judging recorded traffic takes."""

    new_file_judge: Callable[[str, Verification, Any], JudgesFile]
    """The judge of a file with this name, by a contract."""


class TrafficApi(Api, frozen=True, kw_only=True):
    """An API with all that judging the traffic of others takes as it passes."""

    new_history_judge: Callable[..., JudgesHistory]
    """The judge of all exchanges with one target, by a contract; `sole_client` is whether it gets all of them."""


class TargetApi(Api, frozen=True, kw_only=True):
    """An API with all that playing exercises against a target takes: requests, clean-up, root causes."""

    default_version: str
    """The first segment of a path if the user's URL has none."""
    scope: str = ""
    """A pattern of the segments that may stand between the version and the collection; none by default."""
    new_requests: Callable[..., Any]
    """Builds the `ApiRequests` of a target. Keywords: `contract`, `version`, `model`, `agent`, `key`, `other_key`,
    `headers` and `wait`. Without a version, a model or an agent it has the API's own.
    """
    judge_causes: Callable[[Exchange, Sequence[Exchange]], Iterable[Finding]]
    """The findings that explain whatever else is wrong with an answer, given all exchanges before it.

    Each is of a rule whose check applies everywhere; information explains, and breaks no rule.
    """
    judge_incomparable: Callable[[Exchange], Iterable[Finding]]
    """The defects of an answer that explain what comparisons with it find, the most basic one first."""
    judge_new_id: Callable[[Container[object], object], Iterable[Finding]]
    """What is wrong with a new id, if those were given before; its rule's check applies everywhere."""
    list_deletes: Callable[[Exchange], Iterable[Request]]
    """The requests that delete what an exchange created; what others depend on comes before them."""
    new_naming_request: Callable[[Exchange], Request | None]
    """The read that answers what a create left open of all it made; None if its own answer says it."""
    new_stop_request: Callable[[tuple[str, ...], Headers], Request | None]
    """The request that stops what is at a path, so that it can be deleted; None if nothing there can run."""


class ServerApi(TargetApi, frozen=True, kw_only=True):
    """An API with all that judging a server takes: checks, capabilities, whole runs, a reference service."""

    judge_death: Callable[[Exchange, bool], Iterable[Finding]]
    """What is wrong if a target died of a request each time; if it lives (True), it only ended the connection.
    Its rule's check applies everywhere.
    """
    judge_trail: Callable[[Sequence[Exchange], Any, Counter[tuple[str, str]]], Iterable[tuple[Exchange, Finding]]]
    """What several exchanges of one caller contradict each other in, by a contract, and which one shows it.

    It counts, by rule and call, the exchanges that it asked a rule of.

    They come in the order in which they ended. Each finding is of a rule whose check applies everywhere.
    """
    new_end_counter: Callable[[], CountsEnds]
    """What finds out that no run of a target ever came to a result: it then has shown nothing of them."""
    new_run_judge: Callable[[], JudgesRun]
    """What judges all exchanges of a run by each other, such as denials; its rules' checks apply everywhere."""
    load_capabilities: Callable[[], Mapping[str, str]]
    """Every capability that a check may require, with its meaning."""
    load_profiles: Callable[[], Mapping[str, frozenset[str]]]
    """The profiles of checks; one is on if it names no capability, or if the target has one of those it names."""
    load_probes: Callable[[], Probes]
    load_catalogue: Callable[[], tuple[Check, ...]]

    new_service: Callable[[Any], EmbeddedService]
    """A fresh reference service for a contract; it accepts the keys above."""


class ClientApi(Api, frozen=True, kw_only=True):
    """An API with all that judging a client takes."""

    load_client_model: Callable[[], ClientModel]
    """What judging clients of this API takes."""


class ExtensionParts:
    """The additions of one module, under one name; `title` heads its rules in reports."""

    def __init__(self, name: str, *, title: str) -> None:
        self.name = name
        self.title = title
        self.checks: list[Check] = []
        self.mutants: list[Mutant[Any]] = []
        self.kinds: list[Any] = []  # of cases for clients, as in `ClientModel.sets`


def load_named_extensions() -> tuple[ExtensionParts, ...]:
    """The extensions of the user. What they are made of is heavy, so it is imported only if one is named."""
    if not os.environ.get(EXTENSION_VARIABLE) and not _has_entry_points(tuple(sys.path)):
        return ()
    return load_extensions()


@cache
def _has_entry_points(path: tuple[str, ...]) -> bool:
    """Whether an installed package may bring an extension: only then `importlib.metadata` reads them.

    Most users have none. The import of that module, and its look at all packages, take a sixth of the time of
    `harness list`. So the files are only searched for the name of the group.
    """
    return any(_names_extensions(folder or os.curdir) for folder in path)


def _names_extensions(folder: str) -> bool:
    """Whether the entry points of a package in this folder may name the group of extensions."""
    if Path(folder).is_file():  # an archive of packages
        return True
    with suppress(OSError):
        for place in Path(folder).iterdir():
            if place.name.endswith((".dist-info", ".egg-info", "EGG-INFO")):
                with suppress(OSError):
                    if EXTENSION_GROUP.encode() in (place / "entry_points.txt").read_bytes():
                        return True
    return False


def load_extensions() -> tuple[ExtensionParts, ...]:
    """Every extension: of installed packages, then those that `EXTENSION_VARIABLE` names.

    Raises UsageFault for one that cannot be loaded or is no extension, and for names that are taken. The variable
    may be set for a whole shell, which visits folders of others: a relative path would run a file of theirs.
    """
    names = os.environ.get(EXTENSION_VARIABLE, "")
    for name in split_names(names):
        if name.endswith(".py") and not Path(name).is_absolute():
            raise UsageFault(
                f"{EXTENSION_VARIABLE} has {name!r}, which depends on the current folder: write an absolute path, "
                f"or pass --extension {shlex.quote(name)}"
            )
    return load_beside_installed(names)


@cache
def load_beside_installed(names: str) -> tuple[ExtensionParts, ...]:
    """The extensions of installed packages, then those of `names`, with commas between several."""
    from importlib import metadata  # late: see `_has_entry_points`

    loads = [(f"the entry point {one.name!r}", one.load) for one in metadata.entry_points(group=EXTENSION_GROUP)]
    loads += [(repr(name), partial(_import, name)) for name in dict.fromkeys(split_names(names))]
    found = tuple(dict.fromkeys(one for name, load in loads for one in _load(name, load)))
    _refuse_doubles("extension", [one.name for one in found])
    _refuse_doubles("rule", [check.id for one in found for check in one.checks])
    _refuse_doubles("mutant", [mutant.id for one in found for mutant in one.mutants])
    return found


def _load(name: str, load: Callable[[], Any]) -> list[ExtensionParts]:
    try:
        module = load()
    except UsageFault:
        raise
    except (Exception, SystemExit) as wrong:  # a script that ends would end the command, silently
        why = str(wrong) if isinstance(wrong, FileNotFoundError) else f"{type(wrong).__name__}: {wrong}"
        if isinstance(wrong, ModuleNotFoundError):
            why += ": install it, or name a file that ends in .py"
        raise UsageFault(f"the extension {name} cannot be loaded: {why}") from wrong
    found = [module] if isinstance(module, ExtensionParts) else vars(module).values()
    extensions = [value for value in found if isinstance(value, ExtensionParts)]
    if not extensions:
        raise UsageFault(f"{name} makes no extension: write `acme = Extension('acme')` in it (docs/extending.md)")
    return extensions


def _import(name: str) -> ModuleType:
    if not name.endswith(".py"):
        if Path(name).is_file() or os.sep in name:
            raise FileNotFoundError(f"{name!r} is not a module: name a file that ends in .py, or a module")
        return import_module(name)
    path = Path(name)
    spec = spec_from_file_location(f"harness_extension_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {name!r}: name a file that ends in .py, or a module")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # so that the rows of its table find its functions
    spec.loader.exec_module(module)
    return module


def _refuse_doubles(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageFault(f"the {what} {name!r} is defined twice: rename one of the two")
        seen.add(name)
