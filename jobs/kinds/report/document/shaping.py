"""Shape scripts whose letters change with their neighbours: which glyphs are drawn, and where.

HarfBuzz does the shaping. Reportlab's fonts map characters to glyphs, so a glyph without a
character gets one of Unicode's private-use characters, the same in every process.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any, NamedTuple

import uharfbuzz

DEVANAGARI, THAI = "\u0900-\u097f\ua8e0-\ua8ff", "\u0e00-\u0e7f"
JOINERS = "\u200c\u200d"
SHAPED = re.compile(f"[{DEVANAGARI}{THAI}]")
RIGHT_TO_LEFT_MARK = re.compile("[\u0590-\u08ff]")
ARABIC = "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff"
# Joiners that change the form of the character before them.
MEANT = re.compile(f"(?<=[{DEVANAGARI}{ARABIC}])[{JOINERS}]")
PRIVATE = range(0xE000, 0xF900)
LEFT_TO_RIGHT, RIGHT_TO_LEFT = "ltr", "rtl"
# Without optional alternates and ligatures each glyph has a character, and the text can be copied.
# The text could also be set as ActualText, but PDFium reverses its right-to-left words.
RIGHT_TO_LEFT_FEATURES = {"calt": False, "liga": False}


class Glyph(NamedTuple):
    """For font size 1: the distance to the next glyph, and the offset of this one."""

    advance: float
    right: float
    up: float


class GlyphRun(NamedTuple):
    """`drawn` has a character for each glyph. No `glyphs` if all are at their usual positions."""

    drawn: str
    glyphs: tuple[Glyph, ...]


def shapes_right_to_left(c: str) -> bool:
    """Return True for letters and marks of right-to-left scripts; not for their digits."""
    if unicodedata.bidirectional(c) == "NSM":
        return bool(RIGHT_TO_LEFT_MARK.match(c))
    return unicodedata.bidirectional(c) in ("R", "AL")


def shaping_direction(text: str, at: int) -> str:
    """Return the direction in which to shape a character of a line in visual order.

    Empty if the character needs no shaping.
    """
    c = text[at]
    if c in JOINERS:  # it follows its letter, so it is drawn to the left of a right-to-left one
        after = text[at + 1 : at + 2]
        return RIGHT_TO_LEFT if after and shapes_right_to_left(after) else LEFT_TO_RIGHT
    if shapes_right_to_left(c):
        return RIGHT_TO_LEFT
    return LEFT_TO_RIGHT if SHAPED.match(c) else ""


def is_private_use(c: str) -> bool:
    """Return True for a private-use character: in a name it has no meaning, here it is a glyph."""
    return ord(c) in PRIVATE


def shape_glyphs(text: str, direction: str, font: Any) -> GlyphRun:
    """Return the glyphs of a run in visual order. `font` is a TTFont of reportlab."""
    shaper, codes = _shaper(font)
    buffer = uharfbuzz.Buffer()
    is_reversed = direction == RIGHT_TO_LEFT
    buffer.add_str(text[::-1] if is_reversed else text)
    buffer.language = "und"  # otherwise guessed from the locale of the process
    buffer.flags = uharfbuzz.BufferFlags.REMOVE_DEFAULT_IGNORABLES  # the joiners
    buffer.guess_segment_properties()
    buffer.direction = direction
    uharfbuzz.shape(shaper, buffer, RIGHT_TO_LEFT_FEATURES if is_reversed else None)
    drawn = "".join(chr(codes[info.codepoint]) for info in buffer.glyph_infos)
    em = shaper.face.upem
    glyphs = tuple(
        Glyph(place.x_advance / em, place.x_offset / em, place.y_offset / em)
        for place in buffer.glyph_positions
    )
    usual = tuple(
        Glyph(shaper.get_glyph_h_advance(info.codepoint) / em, 0, 0) for info in buffer.glyph_infos
    )
    return GlyphRun(drawn, () if glyphs == usual else glyphs)


@cache
def _shaper(font: Any) -> tuple[Any, dict[int, int]]:
    """Return HarfBuzz's font, and the character of each glyph. Adds characters to `font`."""
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
