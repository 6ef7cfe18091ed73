"""A client of the HTTP interface: sends the requests of a file to $INTERACTIONS_BASE_URL and prints the answers.

A line of the file is `[METHOD, TARGET, BODY]`; `{id}` in it stands for the id in the last answer that had one.
Without a file, the requests are a plain create, its read and a stream.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

SHOWN = ("content-type", "retry-after", "transfer-encoding", "allow")
PLAIN = [
    ["POST", "/v1beta/interactions", {"model": "gemini-3.8-flash", "input": "hi"}],
    ["GET", "/v1beta/interactions/{id}", None],
    ["POST", "/v1beta/interactions", {"model": "gemini-3.8-flash", "input": "hi", "stream": True}],
]


def ask(method, target, body):
    """Send one request; return status, chosen headers and body."""
    url = os.environ["INTERACTIONS_BASE_URL"] + target
    headers = {"x-goog-api-key": os.environ.get("GEMINI_API_KEY", "key"), "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    except OSError as error:
        return 0, {}, type(error).__name__
    headers = {name: answer.headers[name] for name in SHOWN if answer.headers[name]}
    try:
        return answer.status, headers, answer.read().decode()
    except Exception as error:
        return answer.status, headers, type(error).__name__


def talk(requests):
    """Send all requests in order and print each answer."""
    known = ""
    for method, target, body in requests:
        filled = json.loads(json.dumps(body).replace("{id}", known))
        status, headers, text = ask(method, target.replace("{id}", known), filled)
        print(f"{method} {target}\n{status} {json.dumps(headers)}\n{text}")
        if text.startswith("{"):
            known = json.loads(text).get("id", known)


talk(map(json.loads, Path(sys.argv[1]).read_text("utf-8").splitlines()) if sys.argv[1:] else PLAIN)
