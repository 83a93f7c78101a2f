"""Choose fonts for a line of text, and cut it to a width.

Noto Sans (Latin, Greek, Cyrillic) and FiraGO (Hebrew, Arabic, Georgian, Thai, Devanagari) are
embedded as subsets. HarfBuzz shapes Hebrew, Arabic, Devanagari and Thai. Chinese, Japanese and
Korean use fonts that PDF readers have or find on their machine. Other characters, such as emoji and
the scripts of southern India, are drawn as a replacement character; copied text has the original.
"""

from __future__ import annotations

import io
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from typing import Any

import pymupdf_fonts
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

from jobs.kinds.report.document.shaping import (
    JOINERS,
    MEANT,
    RIGHT_TO_LEFT,
    Glyph,
    direction_at,
    is_private,
    is_right_to_left,
    shape,
)

# The fonts to search, in this order; upright and bold.
EMBEDDED = (("notos", "figo"), ("notosbo", "figbo"))
# The font for each encoding. One encoding for all of a name is tried first, to avoid mixing fonts.
ASIAN = {"shift_jis": "HeiseiKakuGo-W5", "gbk": "STSong-Light", "cp949": "HYGothic-Medium"}
ELLIPSIS, REPLACEMENT, CIRCLE = "…", "\ufffd", "◌"
LINES = 4096  # cached: words and numbers that are in many rows
CHARACTERS = 16_384
MAX_NARROWING = 2  # joined Arabic letters are narrower than single ones, but less than this
VARIATION_SELECTORS = range(0xFE00, 0xFE10)


@cache
def font(name: str) -> Any:
    """Return the font, loaded once for each process. It keeps a subset for each document."""
    is_embedded = any(name in names for names in EMBEDDED)
    loaded = (
        TTFont(name, io.BytesIO(pymupdf_fonts.myfont(name)))
        if is_embedded
        else UnicodeCIDFont(name)
    )
    pdfmetrics.registerFont(loaded)
    return loaded


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
        return _width(self.font, self.text)


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
def line(text: str, *, bold: bool = False) -> TextLine:
    return _line(_clean(text), bold)


@lru_cache(LINES)
def fitted(text: str, width: float, *, bold: bool = False) -> TextLine:
    """Return the line, cut with an ellipsis if wider than `width` at font size 1."""
    text = _clean(text)
    room, cut, total = width - _advance(ELLIPSIS, bold), 0, 0.0
    for at, c in enumerate(text):
        total += _advance(c, bold)
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
        return REPLACEMENT
    if category == "Cf" or ord(c) in VARIATION_SELECTORS:
        return ""
    return " " if category.startswith("Z") else c


def _line(text: str, bold: bool) -> TextLine:
    if text.isascii():
        piece = TextPiece(EMBEDDED[bold][0], text)
        return TextLine((piece,), piece.width)
    # Without the circle a leading mark would be drawn on the text to its left.
    visual = _visual_order(CIRCLE + text if _is_mark(text[0]) else text)
    runs = [(*run, _piece(*run)) for run in _runs(visual, bold)]
    pieces = tuple(piece for *_, piece in runs)
    # PDF readers put right-to-left words back into reading order; PDFium would do so with
    # ActualText, too. So there is none for text that is only reordered and joined.
    copied = "".join(
        run if direction == RIGHT_TO_LEFT and not any(map(is_private, piece.text)) else piece.text
        for _, direction, run, piece in runs
    )
    replaced = sum(piece.text.count(REPLACEMENT) for piece in pieces)
    return TextLine(
        pieces,
        width=sum(piece.width for piece in pieces),
        actual_text="" if copied == visual and len(visual) == len(text) else text,
        has_replacement=replaced > text.count(REPLACEMENT),
    )


def _visual_order(text: str) -> str:
    if not any(map(is_right_to_left, text)):
        return text
    from jobs.kinds.report.document.bidi import visual_order  # few names need it

    return visual_order(text)


def _piece(name: str, direction: str, text: str) -> TextPiece:
    if not direction:
        return TextPiece(name, text)
    return TextPiece(name, *shape(text, direction, font(name)))


def _runs(text: str, bold: bool) -> list[tuple[str, str, str]]:
    """Split text in visual order into runs of one font and one direction of shaping."""
    asian = _asian("".join(c for c in text if not _embedded(c, bold)))
    found: list[tuple[str, str, str]] = []
    for at, c in enumerate(text):
        name, direction = _embedded(c, bold), direction_at(text, at)
        if c in JOINERS:
            name = EMBEDDED[bold][1]  # the font of all shaped scripts
        elif found and unicodedata.combining(c) and ord(c) in _glyphs(found[-1][0]):
            name = found[-1][0]
        found.append((name, direction, c) if name else _fallback(c, asian, bold))
    return [
        (name, direction, "".join(c for *_, c in run))
        for (name, direction), run in groupby(found, lambda each: each[:2])
    ]


@lru_cache(CHARACTERS)
def _embedded(c: str, bold: bool) -> str:
    """Return the name of the embedded font that has the character, or an empty string."""
    if is_private(c):
        return ""
    return next((name for name in EMBEDDED[bold] if ord(c) in _glyphs(name)), "")


def _glyphs(name: str) -> Any:
    return getattr(font(name).face, "charToGlyph", ())


@lru_cache(CHARACTERS)
def _asian(text: str) -> str:
    """Return the first encoding that has all of the text, or an empty string."""
    return next((encoding for encoding in ASIAN if _has(encoding, text)), "")


def _fallback(c: str, asian: str, bold: bool) -> tuple[str, str, str]:
    """Return a run in an Asian font, or a replacement character."""
    encoding = asian or _asian(c)
    return (ASIAN[encoding], "", c) if encoding else (EMBEDDED[bold][0], "", REPLACEMENT)


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(CHARACTERS)
def _advance(c: str, bold: bool) -> float:
    return sum(_width(name, text) for name, _, text in _runs(c, bold))


def _width(name: str, text: str) -> float:
    return float(font(name).stringWidth(text, 1))
