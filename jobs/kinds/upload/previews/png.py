"""PNG as browsers read it: a chunk that no pixel needs costs no picture, and tRNS is exact.

In the helper alone; loading it changes how Pillow reads PNG.
"""

from __future__ import annotations

import struct
import zlib
from functools import reduce
from typing import IO

from PIL import Image, ImageChops, ImageFile, PngImagePlugin

ANCILLARY = 0x20  # in the first letter of a chunk's name: a small one
FRAMES = {b"fdAT"}
USED = {b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL"} | FRAMES
BROKEN = (SyntaxError, ValueError, LookupError, OSError, struct.error)
# How Pillow calls samples of fewer bits, which it spreads over 8.
BITS = {"1": 1, "L;2": 2, "L;4": 4, "L": 8, "RGB": 8}
COLOURS = 256  # that a palette has at most
CLEAR_16 = "transparency of 16 bits"  # in `info`: the samples of the colour that is seen through
HIGH_BYTES, LOW_BYTES = "RGB;16B", "RGB;16L"  # which byte of each sample Pillow reads


class Chunks(PngImagePlugin.PngStream):
    """Skips chunks that no pixel needs, and ancillary chunks that are broken."""

    def call(self, cid: bytes, pos: int, length: int) -> bytes:
        """Raises EOFError where pixels begin, as Pillow's does."""
        assert self.fp is not None
        if not cid[0] & ANCILLARY:
            return super().call(cid, pos, length)
        if cid in FRAMES or (cid in USED and self._is_whole(cid, pos, length)):
            try:
                return super().call(cid, pos, length)
            except BROKEN:
                pass
        self.fp.seek(pos + length)
        return b""

    def crc(self, cid: bytes, data: bytes) -> None:
        assert self.fp is not None
        if cid[0] & ANCILLARY:
            self.crc_skip(cid, data)
        else:
            super().crc(cid, data)

    def chunk_tRNS(self, pos: int, length: int) -> bytes:  # noqa: N802
        """PNG 11.3.1.1: of the samples in tRNS as many bits count as the picture's have."""
        content = super().chunk_tRNS(pos, length)
        if self.im_mode == "P" and isinstance(alpha := self.im_info.get("transparency"), bytes):
            self.im_info["transparency"] = alpha[:COLOURS]
        if self.im_mode == "P" or "transparency" not in self.im_info:
            return content
        samples = struct.unpack(">3H" if self.im_mode == "RGB" else ">H", content[: length & ~1])
        del self.im_info["transparency"]
        if bits := BITS.get(self.im_rawmode or ""):
            most = 2**bits - 1
            spread = tuple((sample & most) * 255 // most for sample in samples)
            self.im_info["transparency"] = spread if len(spread) > 1 else spread[0]
        else:
            self.im_info[CLEAR_16] = samples
        return content

    def _is_whole(self, cid: bytes, pos: int, length: int) -> bool:
        assert self.fp is not None
        try:
            check = zlib.crc32(cid + ImageFile._safe_read(self.fp, length))
        except OSError:
            return False
        finally:
            end = self.fp.read(4)
            self.fp.seek(pos)
        return end == struct.pack(">I", check)


PngImagePlugin.PngStream = Chunks  # type: ignore[misc]


def grey(picture: Image.Image) -> Image.Image:
    """Return 16-bit grey as 8-bit; as RGBA if one of its greys is transparent."""
    samples = picture.tobytes()
    low, high = (Image.frombytes("L", picture.size, samples[first::2]) for first in (0, 1))
    if CLEAR_16 not in picture.info:
        return high
    (clear,) = picture.info[CLEAR_16]
    alpha = _unlike([high, low], [clear >> 8, clear & 0xFF])
    return Image.merge("LA", (high, alpha)).convert("RGBA")


def clear_colour(picture: Image.Image, file: IO[bytes]) -> Image.Image:
    """The loaded picture of 16 bits for each colour, RGBA, with one of its colours seen through.

    Pillow reads one byte of each sample; the other one is read from the file here.
    """
    clear = picture.info[CLEAR_16]
    file.seek(0)
    with PngImagePlugin.PngImageFile(file) as source:
        source.tile = [tile._replace(args=LOW_BYTES) for tile in source.tile]
        low = source.split()
    samples = [*(each >> 8 for each in clear), *(each & 0xFF for each in clear)]
    picture.putalpha(_unlike([*picture.split(), *low], samples))
    return picture


def _unlike(bands: list[Image.Image], samples: list[int]) -> Image.Image:
    """255 where a band has another sample than this one, 0 where none has."""
    unlike = (
        band.point([0 if value == sample else 255 for value in range(256)])
        for band, sample in zip(bands, samples, strict=True)
    )
    return reduce(ImageChops.lighter, unlike)
