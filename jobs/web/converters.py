"""The path converter for job ids: a UUID in upper or lower case (RFC 9562)."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import UUIDConverter


class JobIdConverter(UUIDConverter):
    """Like UUIDConverter, which only accepts lower case."""

    regex = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


register_converter(JobIdConverter, "job")
