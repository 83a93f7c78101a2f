"""Which font has a character, and a line of text made of whatever fonts it takes.

Noto Sans (Latin, Greek, Cyrillic) and FiraGO (Hebrew, Arabic, Georgian, Thai, Devanagari) are
embedded, as far as they are used; HarfBuzz joins and moves the letters of Devanagari and Thai.
Chinese, Japanese and Korean are drawn with fonts that PDF readers bring along or find on their
machine. What none of them has is drawn as a replacement mark, emoji most of all, and the scripts
of southern India; copied, it is still what it was.
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

from jobs.kinds.report.document.bidi import is_mixed, visual
from jobs.kinds.report.document.shaping import (
    JOINERS,
    MEANT,
    Glyph,
    cannot_be_drawn,
    is_shaped,
    shape,
)

# The fonts to look in, in this order; upright and bold.
EMBEDDED = (("notos", "figo"), ("notosbo", "figbo"))
# By which encoding a script is known. Whole names are tried first: half a word in another is ugly.
ASIAN = {"shift_jis": "HeiseiKakuGo-W5", "gbk": "STSong-Light", "cp949": "HYGothic-Medium"}
ELLIPSIS, REPLACEMENT, CIRCLE = "…", "\ufffd", "◌"
LINES = 4096  # kept: the few words that are in every row, and numbers
CHARACTERS = 16_384
JOINED = 2  # letters of Arabic take less room than they do apart, but not that much less
UNSEEN = range(0xFE00, 0xFE10)  # they choose between two looks of an emoji


@cache
def font(name: str) -> Any:
    """Read once a process, when it is first needed; knows what it has given to which document."""
    is_embedded = any(name in names for names in EMBEDDED)
    made = (
        TTFont(name, io.BytesIO(pymupdf_fonts.myfont(name)))
        if is_embedded
        else UnicodeCIDFont(name)
    )
    pdfmetrics.registerFont(made)
    return made


@dataclass(frozen=True, slots=True)
class TextLine:
    """Text as it is drawn: pieces from left to right, each in one font; `width` is for size 1.

    `says` is what it reads, if something else had to be drawn; else empty. `glyphs` are where those
    of each piece are; none of a piece whose characters just follow each other. `lacks` tells that
    there is a mark in the place of what no font has.
    """

    pieces: tuple[tuple[str, str], ...]
    width: float
    actual_text: str = ""
    glyphs: tuple[tuple[Glyph, ...], ...] = ()
    has_replacement: bool = False


@lru_cache(LINES)
def line(text: str, *, bold: bool = False) -> TextLine:
    return _line(_clean(text), bold)


@lru_cache(LINES)
def fitted(text: str, width: float, *, bold: bool = False) -> TextLine:
    """Cut with an ellipsis where it is wider than `width`, which is for size 1."""
    text = _clean(text)
    room, cut, apart = width - _advance(ELLIPSIS, bold), 0, 0.0
    for at, c in enumerate(text):
        apart += _advance(c, bold)
        if apart <= room:
            cut = at + 1
        elif apart > JOINED * width:
            break
    else:
        whole = _line(text, bold)
        if whole.width <= width:
            return whole
    while cut and unicodedata.category(text[cut : cut + 1] or " ").startswith("M"):
        cut -= 1  # a letter is not parted from its marks
    return _line(text[:cut].rstrip() + ELLIPSIS, bold)


def _clean(text: str) -> str:
    """What can be drawn in one line, and copied without harm."""
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", text)
    meant = {found.start() for found in MEANT.finditer(text)}
    return "".join(c if at in meant else _seen(c) for at, c in enumerate(text))


def _seen(c: str) -> str:
    category = unicodedata.category(c)
    if category in ("Cc", "Cs"):
        return REPLACEMENT
    if category == "Cf" or ord(c) in UNSEEN:
        return ""
    return " " if category.startswith("Z") else c


def _line(text: str, bold: bool) -> TextLine:
    if text.isascii():
        name = EMBEDDED[bold][0]
        return TextLine(((name, text),), _width(name, text))
    # What is only turned is not told again: readers turn it back, and PDFium would turn both.
    turned = drawn = visual(text) if is_mixed(text) else text
    if unicodedata.category(drawn[0]).startswith("M"):
        drawn = CIRCLE + drawn  # or it would stand on what is left of it
    placed = [_placed(name, piece) for name, piece in _pieces(drawn, bold)]
    pieces = tuple((name, piece) for name, piece, _ in placed)
    seen = "".join(piece for _, piece in pieces)
    return TextLine(
        pieces,
        width=sum(_placed_width(*each) for each in placed),
        actual_text="" if seen == turned else text,
        glyphs=tuple(glyphs for *_, glyphs in placed) if any(g for *_, g in placed) else (),
        has_replacement=seen.count(REPLACEMENT) > text.count(REPLACEMENT),
    )


def _placed(name: str, piece: str) -> tuple[str, str, tuple[Glyph, ...]]:
    if not is_shaped(piece[0]):
        return name, piece, ()
    return name, *shape(piece, font(name))


def _placed_width(name: str, piece: str, glyphs: tuple[Glyph, ...]) -> float:
    return sum(glyph.advance for glyph in glyphs) if glyphs else _width(name, piece)


def _pieces(text: str, bold: bool) -> list[tuple[str, str]]:
    asian = _asian("".join(c for c in text if not _embedded(c, bold)))
    found: list[tuple[str, str]] = []
    for c in text:
        name = _embedded(c, bold)
        if found and (c in JOINERS or unicodedata.combining(c)):
            name = found[-1][0] if ord(c) in _glyphs(found[-1][0]) else name
        found.append((name, c) if name else _elsewhere(c, asian, bold))
    return [
        (name, "".join(c for _, c in run))
        for (name, _), run in groupby(found, lambda piece: (piece[0], is_shaped(piece[1])))
    ]


@lru_cache(CHARACTERS)
def _embedded(c: str, bold: bool) -> str:
    """The name of the font, empty where none has it."""
    if cannot_be_drawn(c):
        return ""
    return next((name for name in EMBEDDED[bold] if ord(c) in _glyphs(name)), "")


def _glyphs(name: str) -> Any:
    return getattr(font(name).face, "charToGlyph", ())


@lru_cache(CHARACTERS)
def _asian(text: str) -> str:
    """The first encoding that has all of it."""
    return next((encoding for encoding in ASIAN if _has(encoding, text)), "")


def _elsewhere(c: str, asian: str, bold: bool) -> tuple[str, str]:
    encoding = asian or _asian(c)
    return (ASIAN[encoding], c) if encoding else (EMBEDDED[bold][0], REPLACEMENT)


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(CHARACTERS)
def _advance(c: str, bold: bool) -> float:
    return sum(_width(name, piece) for name, piece in _pieces(c, bold))


def _width(name: str, text: str) -> float:
    return float(font(name).stringWidth(text, 1))
