"""Compress responses with gzip, where that is worth it and safe."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

PACKET_BYTES = 1_400


class CompressionMiddleware(GZipMiddleware):
    """Compresses pages, and files that are not compressed yet, with gzip.

    Leaves out what fits into one packet, and polls of the API, whose ETag stays strong. Django adds
    random padding against attacks on the length (BREACH).
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if isinstance(response, HttpResponse):
            is_skipped = len(response.content) < PACKET_BYTES or response.has_header("ETag")
            return response if is_skipped else super().process_response(request, response)
        if response.has_header("Content-Encoding"):  # compressed by collectstatic
            return response
        if (request.method, response.status_code) != ("GET", HTTPStatus.OK):
            return response  # no file, or a part of one
        compressed = super().process_response(request, response)
        if compressed.has_header("Content-Encoding"):
            # WhiteNoise does not match a weak ETag. Last-Modified is enough.
            del compressed["ETag"]
        return compressed
