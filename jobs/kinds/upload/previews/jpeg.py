"""JPEG as browsers read it: broken metadata costs no picture.

In the helper alone; loading it changes how Pillow reads JPEG.
"""

from __future__ import annotations

import struct
from contextlib import suppress

from PIL import JpegImagePlugin
from PIL.JpegImagePlugin import JpegImageFile

APPLICATION_SEGMENTS = range(0xFFE0, 0xFFF0)
ICC_HEADER_BYTES = 14  # its name, its number, and how many there are
CUT_OFF = "image file is truncated"  # how Pillow calls a JPEG whose end is missing


def application_segment(picture: JpegImageFile, marker: int) -> None:
    """Read a segment of metadata, or skip one that is too short for what it says it is."""
    with suppress(struct.error):
        JpegImagePlugin.APP(picture, marker)
    picture.icclist = [part for part in picture.icclist if len(part) >= ICC_HEADER_BYTES]


for _marker in APPLICATION_SEGMENTS:
    JpegImagePlugin.MARKER[_marker] = ("APP", "", application_segment)  # type: ignore[assignment]
