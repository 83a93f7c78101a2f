"""Parse the headers of a multipart form (RFC 7578), also as libraries and scripts write them."""

from __future__ import annotations

import re

from multipart import content_disposition_unquote

from jobs.outbound.disposition import decode_disposition_words, disposition_value

# Some clients leave out the quotes although the boundary has a `=` or a `:`.
BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^";,\s]*))', re.IGNORECASE)
# A quote within quotes ends a value only at the end of the parameter.
PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*("(?:\\.|[^\\])*?"(?=\s*(?:;|\Z))|[^;]*)', re.DOTALL)


def multipart_boundary(content_type: str) -> str:
    """Return the boundary of the form; empty if there is none."""
    found = BOUNDARY.search(content_type)
    if found is None:
        return ""
    return re.sub(r"\\(.)", r"\1", found[1]) if found[1] else found[2] or ""


def multipart_header_names(disposition: str) -> tuple[str, str | None]:
    """Return the name of a part and its file name, which is None if it is not a file.

    A file name may be unquoted, or encoded as in a mail or in the header of a download.
    """
    found: dict[str, str] = {}
    for parameter, value in PARAMETER.findall(disposition):
        key = parameter.lower()
        found[key] = content_disposition_unquote(value.strip(), key == "filename")
    file_name = disposition_value(found.get("filename*", "")) or found.get("filename")
    return found.get("name", ""), file_name and decode_disposition_words(file_name)
