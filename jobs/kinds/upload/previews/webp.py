"""WebP as browsers read it: a file shorter than its header says may still have its picture.

Imported only by the helper.
"""

from __future__ import annotations

import os
import struct
from io import BytesIO
from typing import IO

RIFF_BYTES = 8  # not counted by the header


def webp_with_true_size(file: IO[bytes]) -> IO[bytes]:
    """Return the file, with the actual size in its header if that says more."""
    size = file.seek(0, os.SEEK_END) - RIFF_BYTES
    file.seek(0)
    begin = file.read(RIFF_BYTES)
    if struct.unpack("<4xI", begin)[0] > size:
        return BytesIO(begin[:4] + struct.pack("<I", size) + file.read())
    file.seek(0)
    return file
