"""A report on what was asked for: its figures, and the file that tells of them.

Rows in, bytes out. Knows no database, web or store; called by a builder. Reportlab makes the PDFs.
"""

from __future__ import annotations

from jobs.reporting.csv_rows import csv_lines
from jobs.reporting.figures import Counting, Figures, Spread
from jobs.reporting.json_rows import json_lines
from jobs.reporting.pdf import draw
from jobs.reporting.rows import ReportParams, Row, Spool

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
