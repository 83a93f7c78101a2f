"""The params of a link: its URL, and how to fetch it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from jobs.outbound.url_parser import MAX_URL_CHARS
from jobs.web.serializers.fields import MAX_NAME_CHARS, Sha256, TextField, Url

THREADS = 4  # the default number of connections


class RemoteFields(serializers.Serializer[Any]):
    """`output` is the file name; the default is the name from the server or the URL.

    `threads` is the maximum number of connections, `sha256` the expected hash of the file.
    """

    url = Url(max_length=MAX_URL_CHARS)
    output = TextField(required=False, max_length=MAX_NAME_CHARS)
    threads = serializers.IntegerField(default=THREADS, min_value=1, max_value=16)
    sha256 = Sha256(required=False)
