"""PNG as browsers read it: broken ancillary chunks are skipped, and tRNS is exact.

Imported only by the helper; loading it changes how Pillow reads PNG.
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
# Bits per sample of Pillow's raw modes, which it scales to 8.
BITS = {"1": 1, "L;2": 2, "L;4": 4, "L": 8, "RGB": 8}
COLOURS = 256  # in a palette, at most
CLEAR_16 = "transparency of 16 bits"  # key in `info`: the samples of the transparent colour
HIGH_BYTES, LOW_BYTES = "RGB;16B", "RGB;16L"  # which byte of each sample Pillow reads


class PngChunks(PngImagePlugin.PngStream):
    """Skips unused ancillary chunks, and broken ones."""

    def call(self, cid: bytes, pos: int, length: int) -> bytes:
        """Read a chunk. Raises EOFError at the first pixels, as in Pillow."""
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
        """Use only as many bits of each sample as the picture has (PNG 11.3.1.1)."""
        content = super().chunk_tRNS(pos, length)
        if self.im_mode == "P" and isinstance(alpha := self.im_info.get("transparency"), bytes):
            self.im_info["transparency"] = alpha[:COLOURS]
        if self.im_mode == "P" or "transparency" not in self.im_info:
            return content
        samples = struct.unpack(">3H" if self.im_mode == "RGB" else ">H", content[: length & ~1])
        del self.im_info["transparency"]
        if bits := BITS.get(self.im_rawmode or ""):
            most = 2**bits - 1
            scaled = tuple((sample & most) * 255 // most for sample in samples)
            self.im_info["transparency"] = scaled if len(scaled) > 1 else scaled[0]
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


PngImagePlugin.PngStream = PngChunks  # type: ignore[misc]


def convert_grey_png(picture: Image.Image) -> Image.Image:
    """Return 16-bit grey as 8-bit; as RGBA if one of its greys is transparent."""
    samples = picture.tobytes()
    low, high = (Image.frombytes("L", picture.size, samples[first::2]) for first in (0, 1))
    if CLEAR_16 not in picture.info:
        return high
    (clear,) = picture.info[CLEAR_16]
    alpha = _unlike([high, low], [clear >> 8, clear & 0xFF])
    return Image.merge("LA", (high, alpha)).convert("RGBA")


def clear_png_colour(picture: Image.Image, file: IO[bytes]) -> Image.Image:
    """Return the loaded 16-bit RGB picture as RGBA, with its transparent colour.

    Pillow reads the high byte of each sample; the low one is read from the file here.
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
    """Return a mask: 0 where every band has its sample, else 255."""
    unlike = (
        band.point([0 if value == sample else 255 for value in range(256)])
        for band, sample in zip(bands, samples, strict=True)
    )
    return reduce(ImageChops.lighter, unlike)
