"""A report on what was asked for: its figures, and the file that tells of them.

Rows in, bytes out. Knows no database, web or store; called by a builder. Reportlab makes the PDFs.
"""

from __future__ import annotations

from jobs.kinds.report.document.csv_rows import csv_lines
from jobs.kinds.report.document.figures import Counting, Figures, Spread
from jobs.kinds.report.document.json_rows import json_lines
from jobs.kinds.report.document.pdf import draw
from jobs.kinds.report.document.rows import ReportParams, Row, Spool

__all__ = [
    "Counting",
    "Figures",
    "ReportParams",
    "Row",
    "Spool",
    "Spread",
    "csv_lines",
    "draw",
    "json_lines",
]
