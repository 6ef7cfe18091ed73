"""Mutants: writing files into an environment."""

from __future__ import annotations

from dataclasses import replace

from harness.emulator.mutants.collection import Collection
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import plain_error
from harness.emulator.values.call import Call, json_response
from harness.wire import Response

UPLOADS = Area("uploads")


class _Uploads(Collection):
    collection = "upload"


@UPLOADS.mutant("upload-crashes")
class _UploadCrashes(_Uploads):
    """An upload is answered with 500."""

    def serve(self, call: Call) -> Response | None:
        return plain_error(500)


@UPLOADS.mutant("upload-lost")
class _UploadLost(_Uploads):
    """An upload is answered with 200 but nothing is written."""

    def serve(self, call: Call) -> Response | None:
        return json_response({"files": []})


@UPLOADS.mutant("upload-replaces-unasked")
class _UploadReplacesUnasked(_Uploads):
    """An upload replaces a file without overwrite=true."""

    def serve(self, call: Call) -> Response | None:
        return super().serve(replace(call, query={**call.query, "overwrite": "true"}))


@UPLOADS.mutant("upload-never-replaces")
class _UploadNeverReplaces(_Uploads):
    """An upload with overwrite=true is refused if the file exists."""

    def serve(self, call: Call) -> Response | None:
        query = {name: value for name, value in call.query.items() if name != "overwrite"}
        return super().serve(replace(call, query=query))
