"""Cells of CSV files that no spreadsheet runs as a formula."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

# A spreadsheet runs a cell that starts with one of these as a formula, which may start programs and
# send data elsewhere. Includes full-width, small and superscript signs, which some treat the same.
SIGNS = (
    "=+@"
    + "-"
    + "".join(
        c
        for c in map(chr, range(0x2000, 0x10000))
        if unicodedata.normalize("NFKC", c) in tuple("=+-@\u2212")
    )
)
# Characters that are stripped before a sign, or invisible (Unicode's Default_Ignorable_Code_Point).
IGNORABLE = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
)
BLANKS = rf"[\s\"'\x00-\x1f\x7f-\x9f{IGNORABLE}]*"
FORMULA = re.compile(rf"[\t\r\n]|{BLANKS}[{re.escape(SIGNS)}]")
# Some programs also start a cell after a semicolon or a tab (Excel does where the decimal separator
# is a comma), and a line after any of Unicode's line breaks.
SEPARATORS = r";,|\t\n-\r\x1c-\x1f\x85\u2028\u2029"
INNER = re.compile(rf"(?<=[{SEPARATORS}])({BLANKS})([{re.escape(SIGNS)}])")


def escaped_cell(cell: Any) -> Any:
    """Return the cell; text that a spreadsheet would run as a formula gets an apostrophe."""
    if not isinstance(cell, str):
        return cell
    start = FORMULA.match(cell)
    begin = start.end() if start else 0
    mark = "'" if start else ""
    return f"{mark}{cell[:begin]}{INNER.sub(_add_apostrophe, cell[begin:])}"


def _add_apostrophe(found: re.Match[str]) -> str:
    return f"{found[1]}'{found[2]}"
