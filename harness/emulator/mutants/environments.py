"""Mutants: environments and their files."""

from __future__ import annotations

from dataclasses import replace

from harness.emulator.mutants.collection import (
    Collection,
    DeleteKeeps,
    ListBare,
    NotKept,
    PageLosesOne,
    PageRepeats,
    Unknown200,
    UnknownCrashes,
    unless_found,
)
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered, bytes_of, plain_error, sent, with_bytes
from harness.emulator.resources import Neighbours
from harness.emulator.values.call import Call, invalid, json_response
from harness.wire import Response

ENVIRONMENTS = Area("environments")


class _Environments(Collection):
    """Routes calls on environments through `serve`, calls on their files through `files`."""

    collection = "environments"

    def handle(self, call: Call) -> Response | None:
        of_files = call.segments[:1] == (self.collection,) and call.segments[2:3] == ("files",)
        return self.files(call) if of_files else super().handle(call)

    def files(self, call: Call) -> Response | None:
        """What the reference answers."""
        return Neighbours.handle(self, call)


class _Shown(_Environments):
    """Applies `change` to every environment that a response shows."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        return altered(response, self._changed) if response is not None else None

    def _changed(self, value: Json) -> None:
        for environment in value.get("environments", [value] if value else []):
            self.change(environment)

    def change(self, environment: Json) -> None:
        """The defect."""


@ENVIRONMENTS.mutant("environments-not-kept")
class _NotKept(NotKept, _Environments):
    """A created environment is not found."""


@ENVIRONMENTS.mutant("environments-delete-keeps")
class _DeleteKeeps(DeleteKeeps, _Environments):
    """A delete of an environment is answered with 200 but the environment is kept."""


@ENVIRONMENTS.mutant("environments-without-id")
class _WithoutId(_Shown):
    """Environments have no id."""

    def change(self, environment: Json) -> None:
        environment.pop("id", None)


@ENVIRONMENTS.mutant("environments-list-bare")
class _ListBare(ListBare, _Environments):
    """The list of environments is a bare array."""


@ENVIRONMENTS.mutant("environments-need-a-network")
class _NeedANetwork(_Environments):
    """An environment with its network disabled cannot be created."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "POST" and sent(call).get("network") == "disabled":
            raise invalid("'network' must be an object.")
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
    """Sizes are text such as `2 KB`."""

    def change(self, environment: Json) -> None:
        environment["size_bytes"] = "2 KB"
        environment["file_count"] = "two"


@ENVIRONMENTS.mutant("environments-fork-with-sources")
class _ForkWithSources(_Environments):
    """A fork may have sources of its own."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "POST" and isinstance(call.body, dict) and "from_environment" in call.body:
            body = {name: value for name, value in call.body.items() if name not in {"sources", "env"}}
            call = replace(call, body=body)
        return super().serve(call)


@ENVIRONMENTS.mutant("environments-unknown-200")
class _Unknown200(Unknown200, _Environments):
    """A read of an environment that does not exist is answered with 200."""


@ENVIRONMENTS.mutant("environments-unknown-crashes")
class _UnknownCrashes(UnknownCrashes, _Environments):
    """A read of an environment that does not exist is answered with 500."""


@ENVIRONMENTS.mutant("environments-page-repeats")
class _PageRepeats(PageRepeats, _Environments):
    """Every page of environments is the first one."""


@ENVIRONMENTS.mutant("environments-page-loses-one")
class _PageLosesOne(PageLosesOne, _Environments):
    """Every page of environments after the first lacks its first item."""


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
    """The list of an environment's files is always empty."""

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
    """Downloaded files have different line endings from the uploaded ones."""

    def files(self, call: Call) -> Response | None:
        response = super().files(call)
        if response is None or call.query.get("alt") != "media":
            return response
        return with_bytes(response, bytes_of(response).replace(b"\n", b"\r\n") + b"\r\n")


@ENVIRONMENTS.mutant("files-download-json")
class _FilesDownloadJson(_Environments):
    """alt=media is ignored: a download returns the metadata of the file."""

    def files(self, call: Call) -> Response | None:
        query = {name: value for name, value in call.query.items() if name != "alt"}
        return super().files(replace(call, query=query))


@ENVIRONMENTS.mutant("files-missing-200")
class _FilesMissing200(_Environments):
    """A read of a file that does not exist is answered with an empty list of files."""

    def files(self, call: Call) -> Response | None:
        return unless_found(super().files, call, json_response({"files": []}))


@ENVIRONMENTS.mutant("files-missing-crashes")
class _FilesMissingCrashes(_Environments):
    """A read of a file that does not exist is answered with 500."""

    def files(self, call: Call) -> Response | None:
        return unless_found(super().files, call, plain_error(500))
