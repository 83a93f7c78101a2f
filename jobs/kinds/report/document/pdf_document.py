"""Draw text, rectangles and lines on A4 pages.

Reportlab keeps the document, its fonts and its outline. The content of a page is written as PDF
operators, because reportlab cannot place single glyphs or set the text to copy.
"""

from __future__ import annotations

import io
from datetime import UTC
from typing import Any

from reportlab.pdfgen.canvas import Canvas

from jobs.kinds.report.document import fonts, text_lines
from jobs.kinds.report.document.labels import timestamp_label
from jobs.kinds.report.document.report_input import ReportInput

WIDTH, HEIGHT = 595.28, 841.89  # points
LEFT = 42.0
RIGHT = WIDTH - LEFT
TOP, BOTTOM = HEIGHT - 60.0, 50.0  # of the content between header and footer
HEADER, FOOTER = HEIGHT - 36.0, 30.0
SMALL, BODY = 7.5, 8.5
NO_FONT = f"{fonts.REPLACEMENT}: this report has no font for it. The report as CSV has every name."


Colour = str  # operands of the PDF operators rg and RG


def pdf_colour(number: int) -> Colour:
    return " ".join(f"{part / 255:.3f}" for part in number.to_bytes(3, "big"))


# The colours of style.css in light mode.
INK, SOFT, EDGE, LINE, WHITE = map(pdf_colour, (0x1B1C1E, 0x5B5D63, 0x8A8B88, 0xE6E6E1, 0xFFFFFF))
WORK, READY, FAIL = map(pdf_colour, (0x2F56D0, 0x14713D, 0xB5302D))


class PdfDocument:
    """A PDF. Positions are in points, from the lower left corner of the page."""

    def __init__(self, params: ReportInput, *, pages: int) -> None:
        self._params = params
        self._pages = pages
        self._canvas = _canvas(params)
        self._number = 0
        self._has_replacement = False  # for a character without a font, on this page

    def begin_page(self) -> None:
        """End the current page, and start the next with its header."""
        if self._number:
            self._end_page()
        self._number += 1
        if self._number > 1:
            self.text(LEFT, HEADER, self._params.title, bold=True, fit=RIGHT - LEFT - 200)
            self.text(RIGHT, HEADER, self._params.period, colour=SOFT, align="right")
            self.rule(HEADER - 8)

    def outline_entry(self, title: str, y: float, *, level: int = 0) -> None:
        """Add an entry to the outline that links to this position."""
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
        """Draw text on the base line `y`, cut to `fit` points if given. Return its width."""
        line = (
            text_lines.fit_text_line(text, fit / size, bold=bold)
            if fit
            else text_lines.text_line(text, bold=bold)
        )
        self._has_replacement |= line.has_replacement
        width = line.width * size
        x -= {"left": 0, "right": width, "centre": width / 2}[align]
        self._add(f"{colour} rg BT 1 0 0 1 {x:.2f} {y:.2f} Tm {self._operators(line, size)} ET")
        return width

    def rectangle(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: Colour,
        edge: Colour | None = None,
    ) -> None:
        if edge:  # the edge is drawn on the inside
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
        """End the last page and return the document."""
        self._end_page()
        return bytes(self._canvas.getpdfdata())

    def _end_page(self) -> None:
        self.text(LEFT, FOOTER, f"Created {timestamp_label(self._params.made_at)}", colour=SOFT)
        if self._has_replacement:
            self.text(WIDTH / 2 + 25, FOOTER, NO_FONT, colour=SOFT, align="centre")
            self._has_replacement = False
        number = f"Page {self._number:,} of {self._pages:,}"
        self.text(
            RIGHT, FOOTER, number, colour=SOFT, align="right"
        )  # read last, because drawn last
        self._canvas.showPage()

    def _add(self, operators: str) -> None:
        self._canvas.addLiteral(operators)

    def _operators(self, line: text_lines.TextLine, size: float) -> str:
        """Return the operators that show the line."""
        shown = " ".join(
            self._placed(piece, size) if piece.glyphs else self._shown(piece, size)
            for piece in line.pieces
        )
        if not line.actual_text:
            return shown
        # The text for copying and for screen readers.
        actual_text = line.actual_text.encode("utf-16-be", errors="replace").hex()
        return f"/Span <</ActualText <feff{actual_text}>>> BDC {shown} EMC"

    def _shown(self, piece: text_lines.TextPiece, size: float) -> str:
        document, font = self._canvas._doc, fonts.load_font(piece.font)
        if not font._dynamicFont:
            name = document.getInternalFontName(piece.font)
            return f"{name} {size} Tf ({font.formatForPdf(piece.text)}) Tj"
        return " ".join(
            f"{font.getSubsetInternalName(subset, document)} {size} Tf ({self._escaped(codes)}) Tj"
            for subset, codes in font.splitString(piece.text, document)
        )

    def _placed(self, piece: text_lines.TextPiece, size: float) -> str:
        """Show each glyph where HarfBuzz placed it. TJ subtracts its numbers, in thousandths."""
        document, font = self._canvas._doc, fonts.load_font(piece.font)
        drawn, up = [], 0.0
        for c, glyph in zip(piece.text, piece.glyphs, strict=True):
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


def _canvas(params: ReportInput) -> Any:
    """Return an empty document. The same content always gives the same bytes."""
    fonts.load_font(fonts.EMBEDDED[False][0])
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
