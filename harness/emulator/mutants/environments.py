"""Mutants: environments and their files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.emulator.call import Call, Refusal, json_response
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered, bytes_of, plain_error, sent, with_bytes
from harness.emulator.neighbours import Neighbours
from harness.wire import Response

ENVIRONMENTS = Area("environments")


class _Environments(Neighbours):
    """Calls on environments pass through `serve`, calls on their files through `files`."""

    def handle(self, call: Call) -> Response | None:
        if call.segments[:1] != ("environments",):
            return super().handle(call)
        return self.files(call) if call.segments[2:3] == ("files",) else self.serve(call)

    def serve(self, call: Call) -> Response | None:
        """Environments themselves."""
        return super().handle(call)

    def files(self, call: Call) -> Response | None:
        """Their files."""
        return super().handle(call)


class _Shown(_Environments):
    """Every shown environment passes through `change`."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        return altered(response, self._changed) if response is not None else None

    def _changed(self, value: Json) -> None:
        for environment in value.get("environments", [value] if value else []):
            self.change(environment)

    def change(self, environment: Json) -> None:
        """The defect."""


@ENVIRONMENTS.mutant("environments-not-kept")
class _NotKept(_Environments):
    """An environment is not found again."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "GET" and len(call.segments) == 2:
            raise Refusal(404, "not_found", "Not found.")
        return super().serve(call)


@ENVIRONMENTS.mutant("environments-delete-keeps")
class _DeleteKeeps(_Environments):
    """A delete of an environment is answered 200 and the environment stays."""

    def serve(self, call: Call) -> Response | None:
        return json_response({}) if call.request.method == "DELETE" else super().serve(call)


@ENVIRONMENTS.mutant("environments-without-id")
class _WithoutId(_Shown):
    """Environments have no id."""

    def change(self, environment: Json) -> None:
        environment.pop("id", None)


@ENVIRONMENTS.mutant("environments-list-bare")
class _ListBare(_Environments):
    """The list of environments is a bare array."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is not None and call.request.method == "GET" and len(call.segments) == 1:
            return altered(response, lambda page: page.get("environments", []))
        return response


@ENVIRONMENTS.mutant("environments-need-a-network")
class _NeedANetwork(_Environments):
    """An environment whose network is disabled cannot be made."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "POST" and sent(call).get("network") == "disabled":
            raise Refusal(400, "invalid_request", "'network' must be an object.")
        return super().serve(call)


@ENVIRONMENTS.mutant("environments-status-missing")
class _StatusMissing(_Shown):
    """Environments have no status."""

    def change(self, environment: Json) -> None:
        environment.pop("status", None)


@ENVIRONMENTS.mutant("environments-status-number")
class _StatusNumber(_Shown):
    """The status of an environment is a number."""

    def change(self, environment: Json) -> None:
        environment["status"] = 1


@ENVIRONMENTS.mutant("environments-count-words")
class _CountWords(_Shown):
    """Sizes are words, such as `2 KB`."""

    def change(self, environment: Json) -> None:
        environment["size_bytes"] = "2 KB"
        environment["file_count"] = "two"


@ENVIRONMENTS.mutant("environments-fork-with-sources")
class _ForkWithSources(_Environments):
    """A fork takes sources of its own."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "POST" and isinstance(call.body, dict) and "from_environment" in call.body:
            body = {name: value for name, value in call.body.items() if name not in {"sources", "env"}}
            call = replace(call, body=body)
        return super().serve(call)


@ENVIRONMENTS.mutant("environments-unknown-200")
class _Unknown200(_Environments):
    """A read of an environment that does not exist is answered 200."""

    def serve(self, call: Call) -> Response | None:
        return _instead(lambda: super(_Unknown200, self).serve(call), call, json_response({}))


@ENVIRONMENTS.mutant("environments-unknown-crashes")
class _UnknownCrashes(_Environments):
    """A read of an environment that does not exist is answered 500."""

    def serve(self, call: Call) -> Response | None:
        return _instead(lambda: super(_UnknownCrashes, self).serve(call), call, plain_error(500))


@ENVIRONMENTS.mutant("environments-page-repeats")
class _PageRepeats(_Environments):
    """Every page of environments is the first one."""

    def serve(self, call: Call) -> Response | None:
        query = {name: value for name, value in call.query.items() if name != "page_token"}
        return super().serve(replace(call, query=query))


@ENVIRONMENTS.mutant("environments-page-loses-one")
class _PageLosesOne(_Environments):
    """Every page of environments after the first loses its first item."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or "page_token" not in call.query:
            return response

        def change(page: Json) -> None:
            page["environments"] = page.get("environments", [])[1:]

        return altered(response, change)


@ENVIRONMENTS.mutant("files-without-path")
class _FilesWithoutPath(_Environments):
    """Listed files have no path."""

    def files(self, call: Call) -> Response | None:
        response = super().files(call)
        if response is None or call.query.get("alt") == "media":
            return response

        def change(value: Json) -> None:
            for entry in value.get("files", ()):
                entry.pop("path", None)

        return altered(response, change)


@ENVIRONMENTS.mutant("files-list-empty")
class _FilesListEmpty(_Environments):
    """An environment shows no files."""

    def files(self, call: Call) -> Response | None:
        response = super().files(call)
        return response if response is None or call.query.get("alt") == "media" else json_response({"files": []})


@ENVIRONMENTS.mutant("files-list-bare")
class _FilesListBare(_Environments):
    """The list of files is a bare array."""

    def files(self, call: Call) -> Response | None:
        response = super().files(call)
        if response is None or call.query.get("alt") == "media":
            return response
        return altered(response, lambda listing: listing.get("files", []))


@ENVIRONMENTS.mutant("files-changed")
class _FilesChanged(_Environments):
    """Downloaded files have other line ends than the ones written."""

    def files(self, call: Call) -> Response | None:
        response = super().files(call)
        if response is None or call.query.get("alt") != "media":
            return response
        return with_bytes(response, bytes_of(response).replace(b"\n", b"\r\n") + b"\r\n")


@ENVIRONMENTS.mutant("files-download-json")
class _FilesDownloadJson(_Environments):
    """alt=media is ignored: a download answers the description of the file."""

    def files(self, call: Call) -> Response | None:
        query = {name: value for name, value in call.query.items() if name != "alt"}
        return super().files(replace(call, query=query))


@ENVIRONMENTS.mutant("files-missing-200")
class _FilesMissing200(_Environments):
    """A file that does not exist is an empty list of files."""

    def files(self, call: Call) -> Response | None:
        return _instead(lambda: super(_FilesMissing200, self).files(call), call, json_response({"files": []}))


@ENVIRONMENTS.mutant("files-missing-crashes")
class _FilesMissingCrashes(_Environments):
    """A file that does not exist is answered 500."""

    def files(self, call: Call) -> Response | None:
        return _instead(lambda: super(_FilesMissingCrashes, self).files(call), call, plain_error(500))


def _instead(serve: Callable[[], Response | None], call: Call, other: Response) -> Response | None:
    """What `serve` answers; `other` where a read is refused with 404."""
    try:
        return serve()
    except Refusal as refusal:
        if refusal.status == 404 and call.request.method == "GET":
            return other
        raise
