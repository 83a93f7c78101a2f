"""What the receiver of a share link gets, with or without an account."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpResponseRedirect
from django.urls import reverse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.models import ShareLink, StoredFile
from jobs.web.openapi.decorators import FILE_REDIRECT, describes
from jobs.web.problems import Problem
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.serializers.share_links import SharedFilePassword, SharedFileResponse, utc_text
from jobs.web.shared_links import (
    PRIVATE_HEADERS,
    download_shared,
    file_ends_at,
    grant_by_password,
    shared_link,
    shared_owner_name,
)

ENDED = [
    *("not_found", "link_revoked", "link_used_up", "link_expired", "link_deleted"),
    "artifact_gone",
]
PROTECTED = "This link needs a password. Send it in a POST."


class ForAnybody(APIView):
    """Base of views that ask nobody to sign in: the link is the permission."""

    authentication_classes = []
    permission_classes = [AllowAny]
    max_body_bytes = SHORT_BODY_BYTES
    rate = "poll"
    sample = {"password": "correct horse"}


class SharedFile(ForAnybody):
    """What a share link gives."""

    @describes("shared_file", {200: SharedFileResponse}, problems=ENDED)
    def get(self, request: Request, token: str) -> Response:
        """See what the link gives: the file's name, type and size, and until when.

        This counts no download. Of a link with a password, only its owner's name is told.
        """
        link, file = shared_link(token)
        is_open = not link.password
        return Response(_body(link, file, token, is_open=is_open), headers=PRIVATE_HEADERS)

    @describes(
        "open_shared_file",
        {200: SharedFileResponse},
        request=SharedFilePassword,
        problems=[*ENDED, "wrong_password", "sign_in_closed"],
    )
    def post(self, request: Request, token: str) -> Response:
        """See what a link with a password gives. This counts no download."""
        link, file = _opened(request, token)
        return Response(_body(link, file, token, is_open=True), headers=PRIVATE_HEADERS)


class SharedDownload(ForAnybody):
    """Download the file of a share link."""

    bodiless_methods = ("GET", "HEAD", "POST")

    @describes(
        "download_shared_file",
        FILE_REDIRECT,
        problems=[*ENDED, "wrong_password", "storage_unavailable"],
    )
    def get(self, request: Request, token: str) -> HttpResponseRedirect:
        """Download the file: a redirect to the file store. This counts one download."""
        link, file = shared_link(token)
        if link.password:
            raise Problem(HTTPStatus.FORBIDDEN, "wrong_password", PROTECTED)
        return download_shared(link, file)

    def head(self, request: Request, token: str) -> Response:
        """Count nothing."""
        shared_link(token)
        return Response(headers=PRIVATE_HEADERS)

    @describes(
        "download_shared_file_by_password",
        {303: "A redirect to the file store."},
        request=SharedFilePassword,
        problems=[*ENDED, "wrong_password", "sign_in_closed", "storage_unavailable"],
    )
    def post(self, request: Request, token: str) -> HttpResponseRedirect:
        """Download the file with the link's password. This counts one download."""
        response = download_shared(*_opened(request, token))
        response.status_code = HTTPStatus.SEE_OTHER
        return response


def _opened(request: Request, token: str) -> tuple[ShareLink, StoredFile]:
    """Return the link and its file, after a look at the password."""
    serializer = SharedFilePassword(data=request.data)
    serializer.is_valid(raise_exception=True)
    link, file = shared_link(token)
    grant_by_password(request, link, serializer.validated_data.get("password", ""))
    return link, file


def _body(link: ShareLink, file: StoredFile, token: str, *, is_open: bool) -> dict[str, Any]:
    facts = {"name": file.base_name, "contentType": file.content_type, "size": file.size_bytes}
    return {
        "sharedBy": shared_owner_name(link),
        "passwordRequired": bool(link.password),
        **(facts if is_open else dict.fromkeys(facts)),
        "expiresAt": utc_text(file_ends_at(link, file)),
        "downloadsLeft": link.downloads_left,
        "downloadUrl": reverse("shared-download", args=[token]),
    }
