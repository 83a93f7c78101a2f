"""Why a link could not be fetched."""

from __future__ import annotations

from jobs.errors.build_errors import BuildError


class RemoteError(BuildError):
    """Fetching a link failed. The message may name its host, never its path, query or address."""

    code = "remote_refused"
    meaning = "The server refused the file: not found, or not allowed."


class BlockedAddress(RemoteError):
    code = "blocked_address"
    meaning = "The link leads to a private network, or to a port that is not allowed."


class BlockedRedirect(RemoteError):
    code = "blocked_redirect"
    meaning = "The server redirects to an address that is not allowed."


class TooManyRedirects(RemoteError):
    code = "too_many_redirects"
    meaning = "The server redirects more than 20 times."


class RemoteRefused(RemoteError):
    pass


class RemoteNotTrusted(RemoteError):
    code = "remote_not_trusted"
    meaning = "The server's certificate is not valid."


class RemoteNotAFile(RemoteError):
    code = "remote_not_a_file"
    meaning = "The server sent a web page instead of the file."


class RemoteEncoded(RemoteError):
    code = "remote_encoded"
    meaning = "The server compressed the file, although it was asked not to."


class RemoteTooLarge(RemoteError):
    code = "remote_too_large"
    meaning = "The file is larger than the limit."


class RemoteUnavailable(RemoteError):
    code = "remote_unavailable"
    meaning = "The server is unreachable or hangs up; retried after 1, 5 and 30 s."
    retryable = True


class RemoteTooSlow(RemoteError):
    code = "remote_too_slow"
    meaning = "The server is too slow; retried after 1, 5 and 30 s."
    retryable = True


class RemoteChanged(RemoteError):
    code = "remote_changed"
    meaning = "The file changed while it was fetched; retried after 1, 5 and 30 s."
    retryable = True


class ChecksumMismatch(RemoteError):
    code = "checksum_mismatch"
    meaning = "The SHA-256 of the file is not the expected one."
