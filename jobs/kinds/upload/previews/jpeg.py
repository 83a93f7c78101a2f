"""JPEG as browsers read it: broken metadata is skipped.

Imported only by the helper; loading it changes how Pillow reads JPEG.
"""

from __future__ import annotations

import struct
from contextlib import suppress

from PIL import JpegImagePlugin
from PIL.JpegImagePlugin import JpegImageFile

APPLICATION_SEGMENTS = range(0xFFE0, 0xFFF0)
ICC_HEADER_BYTES = 14  # name, number and count
CUT_OFF = "image file is truncated"  # Pillow's message for a truncated JPEG


def read_jpeg_segment(picture: JpegImageFile, marker: int) -> None:
    """Read a segment of metadata, or skip it if it is too short."""
    with suppress(struct.error):
        JpegImagePlugin.APP(picture, marker)
    picture.icclist = [part for part in picture.icclist if len(part) >= ICC_HEADER_BYTES]


for _marker in APPLICATION_SEGMENTS:
    JpegImagePlugin.MARKER[_marker] = ("APP", "", read_jpeg_segment)  # type: ignore[assignment]
