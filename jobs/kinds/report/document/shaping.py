"""Scripts whose letters change with their neighbours: which glyphs are drawn, and where.

HarfBuzz decides that. PDF fonts are made of characters here, so a glyph that no character stands
for gets one of Unicode's private ones, the same in every process.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

try:
    import uharfbuzz
except ImportError:  # there is no wheel for some platforms
    uharfbuzz = None

DEVANAGARI, THAI = "\u0900-\u097f\ua8e0-\ua8ff", "\u0e00-\u0e7f"
JOINERS = "\u200c\u200d"
SHAPED = re.compile(f"[{DEVANAGARI}{THAI}]")
# Drawn letter by letter, it is not only ugly but says something else.
UNREADABLE_APART = re.compile(f"[{DEVANAGARI}]")
ARABIC = "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff"
# Joiners that choose between two looks of what is before them.
MEANT = re.compile(f"(?<=[{DEVANAGARI}{ARABIC}])[{JOINERS}]")
PRIVATE = range(0xE000, 0xF900)


class Glyph(NamedTuple):
    """For size 1: how far the next one is, and how far from its place this one is drawn."""

    advance: float
    right: float
    up: float


class Run(NamedTuple):
    """`drawn` has a character for each glyph."""

    drawn: str
    glyphs: tuple[Glyph, ...]


def is_shaped(c: str) -> bool:
    return uharfbuzz is not None and bool(SHAPED.match(c) or c in JOINERS)


def cannot_be_drawn(c: str) -> bool:
    """Private characters mean nothing outside their owner's fonts; here they are glyphs."""
    if ord(c) in PRIVATE:
        return True
    return uharfbuzz is None and bool(UNREADABLE_APART.match(c))


def shape(text: str, font: Any) -> Run:
    """`font` is reportlab's, of TrueType."""
    shaper, codes = _shaper(font)
    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.language = "und"  # or it is guessed from this process's locale
    buffer.guess_segment_properties()
    uharfbuzz.shape(shaper, buffer)
    em = shaper.face.upem
    glyphs = tuple(
        Glyph(place.x_advance / em, place.x_offset / em, place.y_offset / em)
        for place in buffer.glyph_positions
    )
    return Run("".join(chr(codes[info.codepoint]) for info in buffer.glyph_infos), glyphs)


@cache
def _shaper(font: Any) -> tuple[Any, dict[int, int]]:
    """HarfBuzz's view of the font, and the character of each glyph. Adds those that are missing."""
    shaper = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob(font.face._ttf_data)))
    known = font.face.charToGlyph
    codes: dict[int, int] = {}
    for code, glyph in known.items():
        codes.setdefault(glyph, code)
    free = iter([code for code in PRIVATE if code not in known])
    for glyph in range(shaper.face.glyph_count):
        if glyph not in codes:
            codes[glyph] = next(free)
            known[codes[glyph]] = glyph
            width = shaper.get_glyph_h_advance(glyph) * 1000 / shaper.face.upem
            font.face.charWidths[codes[glyph]] = width
    return shaper, codes
