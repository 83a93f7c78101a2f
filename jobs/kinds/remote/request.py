"""The request to fetch the file of a link."""

from __future__ import annotations

from typing import Any

from jobs.kinds.base import JobParams
from jobs.kinds.remote.kind import Remote
from jobs.outbound.url_parser import MAX_URL_CHARS
from jobs.web.serializers import JobRequest, Sha256, Text, Url
from jobs.web.serializers.fields import Integer

THREADS = 4  # the default number of connections


class RemoteRequest(JobRequest):
    """`output` is the file name; the default is the name from the server or the URL.

    `threads` is the maximum number of connections, `sha256` the expected hash of the file.
    """

    kind = Remote.name
    url = Url(max_length=MAX_URL_CHARS)
    output = Text(required=False, max_length=200)
    threads = Integer(default=THREADS, min_value=1, max_value=16)
    sha256 = Sha256(required=False)

    def params(self) -> JobParams:
        data = self.validated_data
        return {name: data[name] for name in ("url", "output", "threads", "sha256") if name in data}

    def submission(self) -> dict[str, Any]:
        return super().submission() | {"name": self.validated_data.get("output", "")}
