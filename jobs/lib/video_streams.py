"""The types of video without a file format around it: MPEG streams."""

from __future__ import annotations

import re

# Packets of 188 bytes, of 192 with a time code before, or of 204 with parity after. A recording may
# begin in the middle of a packet.
TRANSPORT = re.compile(rb"(?:.{4})?G(?:(?:.{187}G){2}|(?:.{191}G){2}|(?:.{203}G){2})", re.DOTALL)
CUT_TRANSPORT = re.compile(
    rb".{0,203}?G(?:(?:.{187}G){7}|(?:.{191}G){7}|(?:.{203}G){7})", re.DOTALL
)
VIDEO_OBJECTS = re.compile(rb"\x00\x00\x01[\xb0\xb5]")  # MPEG-4 Part 2
PARAMETER_SETS = re.compile(
    rb"\x00?\x00\x00\x01(?:[\x27\x47\x67]|\x40\x01|\x09.\x00?\x00\x00\x01[\x27\x47\x67])", re.DOTALL
)


def video_stream_type(head: bytes) -> str:
    """Return the type of a transport stream, or of video without a container; empty if neither."""
    if TRANSPORT.match(head) or CUT_TRANSPORT.match(head):
        return "video/mp2t"
    if VIDEO_OBJECTS.match(head) or PARAMETER_SETS.match(head):
        return "video/mpeg"
    return ""
