"""Lines of text: in visual order, shaped, and cut to a width.

HarfBuzz shapes Hebrew, Arabic, Devanagari and Thai.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from jobs.kinds.report.document import fonts
from jobs.kinds.report.document.shaping import (
    MEANT,
    RIGHT_TO_LEFT,
    Glyph,
    is_private_use,
    shape_glyphs,
    shapes_right_to_left,
)

ELLIPSIS, CIRCLE = "…", "◌"
LINES = 4096  # cached: words and numbers that are in many rows
MAX_NARROWING = 2  # joined Arabic letters are narrower than single ones, but less than this
VARIATION_SELECTORS = range(0xFE00, 0xFE10)


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A part of a line in one font. `glyphs` is empty if the characters just follow each other."""

    font: str
    text: str
    glyphs: tuple[Glyph, ...] = ()

    @property
    def width(self) -> float:
        """The width at font size 1."""
        if self.glyphs:
            return sum(glyph.advance for glyph in self.glyphs)
        return fonts.font_width(self.font, self.text)


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text: its pieces from left to right, and its width at font size 1.

    `actual_text` is the text to copy; empty if the pieces have the same text. `has_replacement` is
    True if a character has no font.
    """

    pieces: tuple[TextPiece, ...]
    width: float
    actual_text: str = ""
    has_replacement: bool = False


@lru_cache(LINES)
def text_line(text: str, *, bold: bool = False) -> TextLine:
    return _line(_clean(text), bold)


@lru_cache(LINES)
def fit_text_line(text: str, width: float, *, bold: bool = False) -> TextLine:
    """Return the line, cut with an ellipsis if wider than `width` at font size 1."""
    text = _clean(text)
    room, cut, total = width - fonts.font_advance(ELLIPSIS, bold), 0, 0.0
    for at, c in enumerate(text):
        total += fonts.font_advance(c, bold)
        if total <= room:
            cut = at + 1
        elif total > MAX_NARROWING * width:
            break
    else:
        whole = _line(text, bold)
        if whole.width <= width:
            return whole
    while cut and _is_mark(text[cut : cut + 1] or " "):
        cut -= 1  # keep a letter and its marks together
    return _line(text[:cut].rstrip() + ELLIPSIS, bold)


def _is_mark(c: str) -> bool:
    return unicodedata.category(c).startswith("M")


def _clean(text: str) -> str:
    """Return text for one line: normalized, without control and direction characters."""
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", text)
    meant = {found.start() for found in MEANT.finditer(text)}
    return "".join(c if at in meant else _clean_character(c) for at, c in enumerate(text))


def _clean_character(c: str) -> str:
    category = unicodedata.category(c)
    if category in ("Cc", "Cs"):
        return fonts.REPLACEMENT
    if category == "Cf" or ord(c) in VARIATION_SELECTORS:
        return ""
    return " " if category.startswith("Z") else c


def _line(text: str, bold: bool) -> TextLine:
    if text.isascii():
        piece = TextPiece(fonts.EMBEDDED[bold][0], text)
        return TextLine((piece,), piece.width)
    # Without the circle a leading mark would be drawn on the text to its left.
    visual = _visual_order(CIRCLE + text if _is_mark(text[0]) else text)
    runs = [(*run, _piece(*run)) for run in fonts.font_runs(visual, bold)]
    pieces = tuple(piece for *_, piece in runs)
    # PDF readers put right-to-left words back into reading order; PDFium would do so with
    # ActualText, too. So there is none for text that is only reordered and joined.
    copied = "".join(
        run
        if direction == RIGHT_TO_LEFT and not any(map(is_private_use, piece.text))
        else piece.text
        for _, direction, run, piece in runs
    )
    replaced = sum(piece.text.count(fonts.REPLACEMENT) for piece in pieces)
    return TextLine(
        pieces,
        width=sum(piece.width for piece in pieces),
        actual_text="" if copied == visual and len(visual) == len(text) else text,
        has_replacement=replaced > text.count(fonts.REPLACEMENT),
    )


def _visual_order(text: str) -> str:
    if not any(map(shapes_right_to_left, text)):
        return text
    from jobs.kinds.report.document.bidi import bidi_visual_order  # few names need it

    return bidi_visual_order(text)


def _piece(name: str, direction: str, text: str) -> TextPiece:
    if not direction:
        return TextPiece(name, text)
    return TextPiece(name, *shape_glyphs(text, direction, fonts.load_font(name)))
