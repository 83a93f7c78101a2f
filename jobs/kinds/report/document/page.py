"""Sheets of A4: what is on each of them, and marks on paper with nothing interpreted in between.

Reportlab keeps the document, its fonts and its outline. What a page shows is written as PDF's own
operators, packed as soon as the page is full: so it takes little time, and little memory.
"""

from __future__ import annotations

import io
import zlib
from datetime import UTC
from functools import lru_cache
from typing import Any

from reportlab.pdfbase.pdfdoc import PDFDictionary, PDFName, PDFStream
from reportlab.pdfgen.canvas import Canvas

from jobs.kinds.report.document import fonts
from jobs.kinds.report.document.labels import moment
from jobs.kinds.report.document.rows import ReportParams
from jobs.kinds.report.document.shaping import Glyph

WIDTH, HEIGHT = 595.28, 841.89  # points
LEFT = 42.0
RIGHT = WIDTH - LEFT
TOP, BOTTOM = HEIGHT - 60.0, 50.0  # of what is between header and footer
HEADER, FOOTER = HEIGHT - 36.0, 30.0
SMALL, BODY = 7.5, 8.5
NO_FONT = (
    f"{fonts.REPLACEMENT} is what this report has no font for. The report as CSV has every name."
)


Colour = str  # as operands of PDF


def rgb(number: int) -> Colour:
    return " ".join(f"{part / 255:.3f}" for part in number.to_bytes(3, "big"))


# As in style.css, in light mode.
INK, SOFT, EDGE, LINE, WHITE = map(rgb, (0x1B1C1E, 0x5B5D63, 0x8A8B88, 0xE6E6E1, 0xFFFFFF))
WORK, READY, FAIL = map(rgb, (0x2F56D0, 0x14713D, 0xB5302D))


class Sheets:
    """One document. Positions are in points, from the lower left corner of a page."""

    def __init__(self, params: ReportParams, *, pages: int) -> None:
        self._params = params
        self._pages = pages
        self._canvas = _canvas(params)
        self._operators = lru_cache(fonts.LINES)(self._operators_of)
        self._number = 0
        self._lacks = False  # whether a mark stands for what no font has, on this page

    def begin(self) -> int:
        """The next page, with its header; its number."""
        if self._number:
            self._end()
        self._number += 1
        if self._number > 1:
            self.text(LEFT, HEADER, self._params.title, bold=True, fit=RIGHT - LEFT - 200)
            self.text(RIGHT, HEADER, self._params.period, colour=SOFT, align="right")
            self.rule(HEADER - 8)
        return self._number

    def mark(self, title: str, y: float, *, level: int = 0) -> None:
        """A line of the outline, which leads here."""
        key = f"{self._number}-{y:.1f}"
        self._canvas.bookmarkHorizontal(key, 0, y)
        self._canvas.addOutlineEntry(title, key, level, closed=level == 0)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = SMALL,
        bold: bool = False,
        colour: Colour = INK,
        align: str = "left",
        fit: float = 0,
    ) -> float:
        """Draw it on the base line `y`, cut to `fit` points; how wide it is."""
        line = fonts.fitted(text, fit / size, bold=bold) if fit else fonts.line(text, bold=bold)
        self._lacks |= line.lacks
        width = line.width * size
        x -= {"left": 0, "right": width, "centre": width / 2}[align]
        self._add(f"{colour} rg BT 1 0 0 1 {x:.2f} {y:.2f} Tm {self._operators(line, size)} ET")
        return width

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: Colour,
        edge: Colour | None = None,
    ) -> None:
        if edge:  # drawn on the inside
            x, y, width, height = x + 0.3, y + 0.3, max(width - 0.6, 0.1), max(height - 0.6, 0.1)
        area = f"{x:.2f} {y:.2f} {width:.2f} {height:.2f} re"
        if edge:
            self._add(f"{fill} rg {edge} RG 0.6 w {area} B")
        else:
            self._add(f"{fill} rg {area} f")

    def rule(
        self, y: float, *, left: float = LEFT, right: float = RIGHT, colour: Colour = LINE
    ) -> None:
        self._add(f"{colour} RG 0.5 w {left:.2f} {y:.2f} m {right:.2f} {y:.2f} l S")

    def close(self) -> bytes:
        """The whole document."""
        self._end()
        return bytes(self._canvas.getpdfdata())

    def _end(self) -> None:
        """Pack the page: the library would keep its text until the end, some 40 kB of each page."""
        self.text(LEFT, FOOTER, f"Made {moment(self._params.made_at)}", colour=SOFT)
        if self._lacks:
            self.text(WIDTH / 2 + 25, FOOTER, NO_FONT, colour=SOFT, align="centre")
            self._lacks = False
        number = f"Page {self._number:,} of {self._pages:,}"
        self.text(RIGHT, FOOTER, number, colour=SOFT, align="right")  # read last, as it is drawn
        self._canvas.showPage()
        page = self._canvas._doc.Pages.pages[-1]
        packed = zlib.compress(page.stream.encode("latin-1"))
        page.Contents = PDFStream(PDFDictionary({"Filter": PDFName("FlateDecode")}), packed)
        page.stream = None
        self._canvas._doc.updateSignature(packed)

    def _add(self, operators: str) -> None:
        self._canvas.addLiteral(operators)

    def _operators_of(self, line: fonts.Line, size: float) -> str:
        placed = line.glyphs or ((),) * len(line.pieces)
        shown = " ".join(
            self._placed(name, text, glyphs, size) if glyphs else self._shown(name, text, size)
            for (name, text), glyphs in zip(line.pieces, placed, strict=True)
        )
        if not line.says:
            return shown
        # Whoever copies or listens gets this.
        says = line.says.encode("utf-16-be", errors="replace").hex()
        return f"/Span <</ActualText <feff{says}>>> BDC {shown} EMC"

    def _shown(self, name: str, text: str, size: float) -> str:
        document, font = self._canvas._doc, fonts.font(name)
        if not font._dynamicFont:
            return f"{document.getInternalFontName(name)} {size} Tf ({font.formatForPdf(text)}) Tj"
        return " ".join(
            f"{font.getSubsetInternalName(subset, document)} {size} Tf ({self._escaped(codes)}) Tj"
            for subset, codes in font.splitString(text, document)
        )

    def _placed(self, name: str, text: str, glyphs: tuple[Glyph, ...], size: float) -> str:
        """Each glyph where HarfBuzz has it. What TJ is told, in thousandths, it subtracts."""
        document, font = self._canvas._doc, fonts.font(name)
        drawn, up = [], 0.0
        for c, glyph in zip(text, glyphs, strict=True):
            ((subset, code),) = font.splitString(c, document)
            if glyph.up != up:
                up = glyph.up
                drawn.append(f"{up * size:.3f} Ts")
            after = font.stringWidth(c, 1) + glyph.right - glyph.advance
            shown = f"[{-1000 * glyph.right:.0f} ({self._escaped(code)}) {1000 * after:.0f}] TJ"
            drawn.append(f"{font.getSubsetInternalName(subset, document)} {size} Tf {shown}")
        return " ".join([*drawn, "0 Ts"] if up else drawn)

    def _escaped(self, codes: bytes) -> str:
        return str(self._canvas._escape(codes))


def _canvas(params: ReportParams) -> Any:
    """An empty document, which says the same of itself whenever it is made of the same."""
    fonts.font(fonts.EMBEDDED[False][0])
    canvas = Canvas(
        io.BytesIO(),
        pagesize=(WIDTH, HEIGHT),
        pageCompression=1,
        invariant=1,
        pdfVersion=(1, 7),
        initialFontName=fonts.EMBEDDED[False][0],  # type: ignore[arg-type]  # guessed wrongly
        lang="en",
    )
    canvas.setTitle(params.title.encode(errors="replace").decode())
    canvas.setAuthor("Downloads")
    canvas.setCreator("Downloads")
    canvas.setSubject(params.period)
    canvas.setViewerPreference("DisplayDocTitle", "true")
    made_at = params.made_at.astimezone(UTC)
    canvas.setDateFormatter(lambda *_: f"D:{made_at:%Y%m%d%H%M%S}Z")
    return canvas
