"""Parse the file name in a Content-Disposition (RFC 6266), also in invalid headers.

The result is that of Chrome and Firefox, or of Chrome where they differ.
"""

from __future__ import annotations

import re
from contextlib import suppress
from email.header import decode_header, make_header
from urllib.parse import unquote, unquote_to_bytes

MAX_CHARS = 4096  # longer ones are cut
PARAMETER = re.compile(r'([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)', re.DOTALL)
EXTENDED = re.compile(r"([\w!#$%&+^`{}~-]+)'[^']*'(.*)", re.DOTALL | re.ASCII)  # RFC 8187
_WORD = r"=\?[^?\s]+\?[bq]\?[^?]*\?="
ENCODED_WORDS = re.compile(rf"{_WORD}(\s*{_WORD})*", re.IGNORECASE)  # RFC 2047
WINDOWS_PATH = re.compile(r"([A-Za-z]:)?\\")


def disposition_file_name(header: str) -> str:
    """Return the raw file name; empty if there is none. `header` is as `http.client` returns it."""
    found: dict[str, str] = {}
    with suppress(UnicodeError):
        header = header.encode("latin-1").decode()  # as most servers send it
    for name, value in PARAMETER.findall(header[:MAX_CHARS]):
        found.setdefault(name.lower(), _unquoted(value))
    return disposition_value(found.get("filename*", "")) or _plain(found.get("filename", ""))


def disposition_value(value: str) -> str:
    """Return the text of an RFC 8187 value; empty if it cannot be decoded."""
    if parts := EXTENDED.fullmatch(value):
        with suppress(UnicodeError, LookupError):
            return unquote(parts[2], encoding=parts[1], errors="strict")
    return ""


def decode_disposition_words(value: str) -> str:
    """Return the value with its encoded words (RFC 2047) decoded; as it is if one cannot be."""
    with suppress(UnicodeError, LookupError, ValueError):
        return ENCODED_WORDS.sub(lambda words: _decoded(words[0]), value)
    return value


def is_attachment_disposition(header: str) -> bool:
    """Return whether the server says that this is a file to be kept (RFC 6266, 4.2)."""
    return header.partition(";")[0].strip().lower() == "attachment"


def _unquoted(value: str) -> str:
    value = value.strip()
    if not value.startswith('"'):
        return value
    value = value[1:].removesuffix('"') if len(value) > 1 else ""
    if WINDOWS_PATH.match(value):  # from a server that sends a path as it is, unescaped
        return value
    return re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)


def _plain(value: str) -> str:
    if (decoded := decode_disposition_words(value)) != value:
        return decoded
    if value.isascii() and "%" in value:
        with suppress(UnicodeError):
            return unquote_to_bytes(value).decode()
    with suppress(UnicodeError):  # text all along, or none of its bytes
        return value.encode("latin-1").decode("cp1252")
    return value


def _decoded(words: str) -> str:
    return str(make_header(decode_header(words)))
