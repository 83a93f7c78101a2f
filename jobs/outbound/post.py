"""Telling somebody else's server something, by one POST that has an end."""

from __future__ import annotations

import threading
from queue import Empty

from jobs.errors import RemoteTooSlow
from jobs.lib.mailbox import Mailbox
from jobs.outbound.http import PostResponse, RemoteFile


def post(url: str, body: bytes, headers: dict[str, str], *, within_seconds: float) -> PostResponse:
    """The head of the answer; that of a redirect, too, for none is followed.

    Raises BadUrl, and a RemoteError: BlockedAddress where the link is known to lead into a private
    network, RemoteTooSlow where all of it together takes longer than that.
    """
    remote = RemoteFile(url, connections=1)
    found: Mailbox[PostResponse | BaseException] = Mailbox()

    def ask() -> None:
        try:
            found.put(remote.post(body, headers))
        except BaseException as error:
            found.put(error)

    # In a thread that is left to itself: a name is resolved without a limit of its own.
    threading.Thread(target=ask, name="post", daemon=True).start()
    try:
        response = found.get(timeout_seconds=within_seconds)
    except Empty as error:
        raise RemoteTooSlow(f"{remote.host} takes too long to answer.") from error
    finally:
        remote.close()
    if isinstance(response, BaseException):
        raise response
    return response
