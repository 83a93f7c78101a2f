"""Path converters: for job ids, UUIDs in upper or lower case (RFC 9562), and for file ids."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import IntConverter, UUIDConverter


class JobIdConverter(UUIDConverter):
    """Like UUIDConverter, which only accepts lower case."""

    regex = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


class FileIdConverter(IntConverter):
    """A number of a file, which has 5 to 9 digits."""

    regex = "[1-9][0-9]{4,8}"


register_converter(JobIdConverter, "job")
register_converter(FileIdConverter, "file")
