"""Choose a font for each character of a line.

Noto Sans (Latin, Greek, Cyrillic) and FiraGO (Hebrew, Arabic, Georgian, Thai, Devanagari) are
embedded as subsets. Chinese, Japanese and Korean use fonts that PDF readers have or find on their
machine. Other characters, such as emoji and the scripts of southern India, are drawn as a
replacement character; copied text has the original.
"""

from __future__ import annotations

import io
import unicodedata
from functools import cache, lru_cache
from itertools import groupby
from typing import Any

import pymupdf_fonts
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

from jobs.kinds.report.document.shaping import (
    JOINERS,
    is_private_use,
    shaping_direction,
)

# The fonts to search, in this order; upright and bold.
EMBEDDED = (("notos", "figo"), ("notosbo", "figbo"))
# The font for each encoding. One encoding for all of a name is tried first, to avoid mixing fonts.
ASIAN = {"shift_jis": "HeiseiKakuGo-W5", "gbk": "STSong-Light", "cp949": "HYGothic-Medium"}
REPLACEMENT = "\ufffd"
CHARACTERS = 16_384


@cache
def load_font(name: str) -> Any:
    """Return the font, loaded once for each process. It keeps a subset for each document."""
    is_embedded = any(name in names for names in EMBEDDED)
    loaded = (
        TTFont(name, io.BytesIO(pymupdf_fonts.myfont(name)))
        if is_embedded
        else UnicodeCIDFont(name)
    )
    pdfmetrics.registerFont(loaded)
    return loaded


def font_runs(text: str, bold: bool) -> list[tuple[str, str, str]]:
    """Split text in visual order into runs of one font and one direction of shaping."""
    asian = _asian("".join(c for c in text if not _embedded(c, bold)))
    found: list[tuple[str, str, str]] = []
    for at, c in enumerate(text):
        name, direction = _embedded(c, bold), shaping_direction(text, at)
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
    if is_private_use(c):
        return ""
    return next((name for name in EMBEDDED[bold] if ord(c) in _glyphs(name)), "")


def _glyphs(name: str) -> Any:
    return getattr(load_font(name).face, "charToGlyph", ())


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
def font_advance(c: str, bold: bool) -> float:
    return sum(font_width(name, text) for name, _, text in font_runs(c, bold))


def font_width(name: str, text: str) -> float:
    return float(load_font(name).stringWidth(text, 1))
