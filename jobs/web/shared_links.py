"""The tokens of share links, and what a receiver may do with them. Pages and API use it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework.request import Request

from jobs import storage
from jobs.lib.database import release_database_connection
from jobs.models import LinkState, ShareLink, StoredFile
from jobs.web.authentication import authenticated_user
from jobs.web.problems import Problem
from jobs.web.result_files import redirect_to_file
from jobs.web.throttle import throttle_share_password, unthrottle_share_password

SALT = "jobs.share_link"
ID_CHARS, SIGNATURE_BYTES = 22, 16
GRANT_SECONDS = 3600  # after the right password
UNKNOWN = "There is no such link. Check that you have all of it."
ENDED = {
    LinkState.REVOKED: "The person who shared this file has revoked the link.",
    LinkState.USED_UP: "This link was for a number of downloads, which are used up.",
    LinkState.EXPIRED: "This link has expired. Ask for a new one.",
    LinkState.DELETED: "The file was deleted.",
}
PRIVATE_HEADERS = {
    "Referrer-Policy": "no-referrer",  # or the file store would learn the link
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "private, no-store",
}


def share_url(request: HttpRequest | Request, link: ShareLink) -> str:
    """Return the URL to give away. It is the same each time."""
    return request.build_absolute_uri(reverse("shared", args=[share_token(link.pk)]))


def own_share_link(request: Request | HttpRequest, share_id: UUID) -> ShareLink:
    """Return the user's link. Raises Http404."""
    own = ShareLink.objects.filter(owner=authenticated_user(request).pk)
    if (link := own.filter(pk=share_id).first()) is None:
        raise Http404("You have no link with this ID.")
    return link


def share_token(link_id: UUID) -> str:
    """Return the id of a link with its signature."""
    return _text(link_id.bytes) + _signature(link_id, settings.SECRET_KEY)


def _signature(link_id: UUID, secret: str | bytes) -> str:
    digest = salted_hmac(SALT, link_id.bytes, secret=secret, algorithm="sha256").digest()
    return _text(digest[:SIGNATURE_BYTES])


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _id_in(token: str) -> UUID | None:
    """Return the id in a token that this service signed, or None."""
    signed, signature = token[:ID_CHARS], token[ID_CHARS:]
    try:
        link_id = UUID(bytes=urlsafe_b64decode(f"{signed}=="))
    except ValueError:
        return None
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    is_signed = any(
        constant_time_compare(signature, _signature(link_id, secret)) for secret in secrets
    )
    return link_id if is_signed and _text(link_id.bytes) == signed else None


def shared_link(token: str) -> tuple[ShareLink, StoredFile]:
    """Return a link that works, and its file. Raises Http404, and Problem 410 if it has ended."""
    if (link_id := _id_in(token)) is None:
        raise Http404(UNKNOWN)
    link = ShareLink.objects.with_file().filter(pk=link_id).first()
    state = link.state if link else LinkState.DELETED
    if link is None or link.file is None or state != LinkState.ACTIVE:
        raise ended(state)
    return link, link.file


def ended(state: LinkState) -> Problem:
    return Problem(HTTPStatus.GONE, f"link_{state}", ENDED[state])


def grant_by_password(request: HttpRequest | Request, link: ShareLink, password: str) -> str:
    """Return a grant for `download_shared`. Raises Problem 403 for a wrong password, 429 for many.

    It is empty if the link has no password.
    """
    if not link.password:
        return ""
    throttle_share_password(request, str(link.pk))
    if not check_password(password, link.password):
        raise Problem(HTTPStatus.FORBIDDEN, "wrong_password", "The password is wrong.")
    unthrottle_share_password(request, str(link.pk))
    return signing.dumps(str(link.pk), salt=SALT)


def has_grant(link: ShareLink, grant: str) -> bool:
    """Return whether the link needs no password, or it was given within the last hour."""
    if not link.password:
        return True
    try:
        return bool(signing.loads(grant, salt=SALT, max_age=GRANT_SECONDS) == str(link.pk))
    except signing.BadSignature:
        return False


def download_shared(link: ShareLink, file: StoredFile) -> HttpResponseRedirect:
    """Count the download and redirect to the file. Raises Problem 410.

    A file that is not there is not counted.
    """
    release_database_connection()  # the store may be slow
    if not storage.object_exists(file.key, file.size_bytes, bucket_name=file.bucket):
        raise Problem(HTTPStatus.GONE, "artifact_gone", "The file no longer exists.")
    if not link.count_download():
        raise ended(_state_now(link))
    response = redirect_to_file(file, "GET")
    for name, value in PRIVATE_HEADERS.items():
        response[name] = value
    return response


def shared_owner_name(link: ShareLink) -> str:
    """Return the name of who shares the file."""
    return link.owner.get_full_name() or link.owner.get_username()


def file_ends_at(link: ShareLink, file: StoredFile) -> datetime | None:
    """Return when the link or its file expires, whichever is first."""
    return min(filter(None, [link.expires_at, file.expires_at]), default=None)


def _state_now(link: ShareLink) -> LinkState:
    """Return why the last download was refused."""
    found = ShareLink.objects.with_file().filter(pk=link.pk).first()
    state = found.state if found else LinkState.DELETED
    return LinkState.EXPIRED if state == LinkState.ACTIVE else state
