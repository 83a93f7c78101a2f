"""How addresses name jobs: a UUID, whose digits may be of either case (RFC 9562)."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import UUIDConverter


class JobIdConverter(UUIDConverter):
    """As Django's own, which takes lower case alone."""

    regex = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


register_converter(JobIdConverter, "job")
