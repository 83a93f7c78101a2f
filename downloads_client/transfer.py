"""The bytes of a finished file, from the store to the disk, whatever happens on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

import requests

from downloads_client.errors import Unreachable, WrongBytes
from downloads_client.http import (
    BAD_BUNDLE,
    TIMEOUT_SECONDS,
    Session,
    check_location,
    lasting_reason,
    reason,
    seconds_asked,
)
from downloads_client.partial_file import Part
from downloads_client.responses import Result
from downloads_client.retry import Patience

CHUNK_BYTES = 32 * 1024  # what a line that breaks costs at most
MAX_REDIRECTS = 5
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


class Transfer:
    """Fills `part` until it is the file that `result` tells of.

    A part that was begun, by this process or by one before it, is continued. `ask` tells of the
    result again, with an address that works: presigned ones expire. `show` hears how much is there.
    """

    def __init__(
        self,
        part: Part,
        ask: Callable[[], Result],
        patience: Patience,
        show: Callable[[int, int], None],
    ) -> None:
        self._part, self._ask, self._patience, self._show = part, ask, patience, show
        self._session = Session()
        self._session.hooks["response"].append(check_location)
        self._session.auth = lambda request: request  # nor what ~/.netrc has for that host
        self._session.headers["Accept-Encoding"] = "identity"  # else a range is one of other bytes
        self._session.max_redirects = MAX_REDIRECTS
        self._etag = ""
        self._rest_seconds: float | None = None  # that the store asked for
        self._was_continued = False
        self._furthest = 0
        self.received = 0  # bytes, those of vain tries too

    def run(self, result: Result) -> Result:
        """What the part is now: `result`, or what was made anew meanwhile.

        Raises WrongBytes, and then has deleted the part; any other Failure leaves it.
        """
        self._result = result
        if self._part.size > result.size:
            self._part.empty()
        self._fill()
        if not self._is_right and self._was_continued:
            # Bytes of two files, maybe: the object changed, or somebody wrote into the part.
            self._begin_anew()
            self._fill()
        if not self._is_right:
            self._part.delete()
            raise WrongBytes("What arrived is not what the service made: another size or SHA-256.")
        return self._result

    @property
    def _is_right(self) -> bool:
        return (self._part.size, self._part.sha256) == (self._result.size, self._result.sha256)

    def _fill(self) -> None:
        """Until there are as many bytes as there should be; not where the store has others."""
        self._furthest = self._part.size
        self._was_continued = self._part.size > 0
        self._show(self._part.size, self._result.size)
        while self._part.size < self._result.size:
            try:
                if not self._stream():
                    return
            # ValueError: what the libraries say of some addresses that are none, "http://a..b".
            # OSError: and of a file of certificates that is not there.
            except (requests.RequestException, OSError, ValueError) as error:
                failure = Unreachable(f"The file store cannot be reached: {reason(error)}.")
                if lasting_reason(error) == BAD_BUNDLE:
                    raise failure from error
                self._pause(failure)
            except Unreachable as failure:
                self._pause(failure)

    def _stream(self) -> bool:
        """One request. False where what the store has cannot be the file."""
        begin = self._part.size
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        if begin and self._etag:
            headers["If-Range"] = self._etag
        with self._session.get(
            self._result.url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS
        ) as response:
            if not self._fits(response, begin):
                return False
            for chunk in response.iter_content(CHUNK_BYTES):
                self._part.write(chunk)
                self.received += len(chunk)
                self._show(self._part.size, self._result.size)
                if self._part.size > self._result.size:
                    return False
        if self._part.size < self._result.size:
            raise Unreachable("The file store broke off.")
        return True

    def _fits(self, response: requests.Response, begin: int) -> bool:
        """Whether its bytes go behind the part's. Raises Unreachable where it has none."""
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return False
        if response.status_code == HTTPStatus.OK:
            if begin:  # it takes no ranges, or has another object by now
                self._begin_anew()
            total = response.headers.get("Content-Length")
        else:
            told = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if response.status_code != HTTPStatus.PARTIAL_CONTENT or not told:
                self._rest_seconds = seconds_asked(response.headers)
                raise Unreachable(f"The file store answers {response.status_code}.")
            if int(told[1]) != begin:
                return False
            total = told[2]
        etag = response.headers.get("ETag", "")
        self._etag = etag if etag.startswith('"') else ""  # a weak one vouches for no bytes
        return total is None or total == str(self._result.size)

    def _begin_anew(self) -> None:
        self._part.empty()
        self._etag = ""
        self._was_continued = False

    def _pause(self, failure: Unreachable) -> None:
        if self._part.size > self._furthest:
            self._furthest = self._part.size
            self._patience.renew()
        self._patience.wait(failure, self._rest_seconds)
        self._rest_seconds = None
        fresh = self._ask()
        if fresh.sha256 != self._result.sha256:  # made anew meanwhile
            self._begin_anew()
        self._result = fresh
        self._was_continued = self._part.size > 0
