"""Helpers of the judges: make findings about relayed exchanges, choose some, and format values and requests.

`cures.yaml` has settings that are known to cure a finding. A gateway names its product in `Server`, `Via` or
`X-Powered-By`, or by the command that starts it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.files import load_yaml
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding, Severity, Unmet, Where
from harness.outcome.words import quote_body, shorten
from harness.wire import Exchange, How, Request


@cache
def load_cures() -> dict[str, dict[str, str]]:
    """For each code, the setting that fixes it, by product."""
    cures: dict[str, dict[str, str]] = load_yaml(Path(__file__).with_name("cures.yaml").read_bytes())
    return cures


def cures_of(rule: str) -> list[str]:
    """The known fixes of the findings of a rule, each once."""
    tables = [table for code, table in load_cures().items() if code.partition("/")[0] == rule]
    return list(dict.fromkeys(_list_settings(table) for table in tables))


def choose_cure(code: str, relayed: RelayedExchange) -> str:
    """The setting for the product that the exchange shows; all settings if other codes do not know it, either."""
    table = load_cures().get(code, {})
    words = set(_WORD.findall(f"{find_product(relayed)} {relayed.product}".casefold()))
    own = {product: setting for product, setting in table.items() if words & {*_WORD.findall(product.casefold())}}
    known = " ".join(" ".join(each) for each in load_cures().values())
    if own or not table or words & {*_WORD.findall(known.casefold())}:
        return _list_settings(own or {name: table[name] for name in table.keys() & {"a client library"}})
    return f"depends on the product. {_list_settings(table)}"


_WORD = re.compile(r"[a-z]{3,}")


def find_product(relayed: RelayedExchange) -> str:
    """How the gateway names itself in a response: fields that the upstream did not write; "" if it does not."""
    sent = relayed.answer.headers.get if relayed.answer is not None else "".join
    came = {name: relayed.client.headers.get(name) for name in ("server", "via", "x-powered-by")}
    return " ".join(value for name, value in came.items() if value and value != sent(name))


def _list_settings(table: Mapping[str, str]) -> str:
    return "; ".join(f"{product}: {setting}" for product, setting in table.items())


SHOWN = 200
"""The number of characters of a value that a finding shows."""
_GZIP = b"\x1f\x8b"


def notice(
    code: str,
    relayed: RelayedExchange,
    message: str,
    expected: str = "",
    actual: str = "",
    *,
    severity: Severity = Severity.BROKEN,
    pointer: str = "",
    event: int | None = None,
) -> Finding:
    """A finding about one relayed exchange; `code` is a rule, or `rule/word`."""
    where = Where(exchange=relayed.name, pointer=pointer, event=event)
    shown = shorten(expected, SHOWN), shorten(actual, SHOWN)
    return Finding.from_code(
        code, message, *shown, where=where, severity=severity, cure=choose_cure(code, relayed)
    )


def told_by(
    exchanges: Sequence[RelayedExchange], tells: Callable[[RelayedExchange], bool], otherwise: str
) -> Iterator[RelayedExchange]:
    """The exchanges for which `tells` is true. Raises Unmet with the reason `otherwise` if there is none."""
    chosen = [relayed for relayed in exchanges if tells(relayed)]
    if not chosen:
        raise Unmet(otherwise)
    return iter(chosen)


def find_relayed(exchanges: Sequence[RelayedExchange], name: str, otherwise: str) -> RelayedExchange:
    """The relayed with this name. Raises Unmet with the reason `otherwise` if there is none."""
    return next(told_by(exchanges, lambda relayed: relayed.name == name, otherwise))


def answer_of(relayed: RelayedExchange) -> Exchange:
    """The response of the upstream, where a request is known to have arrived there."""
    assert relayed.answer is not None
    return relayed.answer


def succeeded(exchange: Exchange | None) -> bool:
    """Whether there is an exchange, and it succeeded."""
    return exchange is not None and exchange.succeeded


def format_value(value: Any) -> str:
    """A value as JSON."""
    return shorten(json.dumps(value, ensure_ascii=False, default=str), SHOWN)


def request_line(request: Request) -> str:
    """Method and target."""
    return f"{request.method} {request.target}"


def answer_line(exchange: Exchange) -> str:
    """Status and the beginning of the body, in one line."""
    if exchange.status is None:
        return f"no response ({exchange.ending.words})"
    return f"{exchange.status} {quote_body(exchange.body, SHOWN - 4)}".rstrip()


def is_miscoded(client: Exchange) -> bool:
    """Whether a body cannot be decoded by its Content-Encoding, or is gzip and none is named."""
    if client.ending.how is How.BAD_HTTP and client.ending.detail.startswith("content-encoding"):
        return True
    return client.body.startswith(_GZIP) and not client.headers.get("content-encoding")
