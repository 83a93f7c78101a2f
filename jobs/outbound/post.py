"""One POST to another server, with a limit for all of it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from queue import Empty

from jobs.errors import RemoteTooSlow
from jobs.lib.background_call import BackgroundCall
from jobs.outbound.post_response import PostResponse
from jobs.outbound.remote_file import RemoteFile

BODY_SECONDS = 2.0  # for the first bytes of the response's body, beside `within_seconds`


def post_outbound(
    url: str, body: bytes, headers: dict[str, str], *, within_seconds: float
) -> PostResponse:
    """Send the body and return the response with the start of its body, as far as it came.

    Redirects are not followed.

    Raises BadUrl, and a RemoteError: BlockedAddress if the URL is known to lead into a private
    network, RemoteTooSlow if it takes longer than `within_seconds`.
    """
    remote = RemoteFile(url, connections=1)
    # In a thread, because name resolution has no timeout.
    call = BackgroundCall(partial(remote.post, body, headers), name="post")
    try:
        response = call.result(timeout_seconds=within_seconds)
        reading = BackgroundCall(response.read_body, name="post-body")
        with suppress(Empty):
            reading.result(timeout_seconds=BODY_SECONDS)
        return response
    except Empty as error:
        raise RemoteTooSlow(f"{remote.host} took too long to respond.") from error
    finally:
        remote.close()
