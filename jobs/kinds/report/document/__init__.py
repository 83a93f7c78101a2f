"""A report: its figures, and the file that shows them.

Takes rows and returns bytes. Uses no database, web or storage; called by a builder. Reportlab
writes the PDFs.
"""

from __future__ import annotations

from jobs.kinds.report.document.csv_rows import csv_lines
from jobs.kinds.report.document.figures import Aggregator, Figures, Percentiles
from jobs.kinds.report.document.json_rows import json_lines
from jobs.kinds.report.document.pdf import PDF_ROWS, draw
from jobs.kinds.report.document.rows import ReportParams, ReportRow, Spool

__all__ = [
    "PDF_ROWS",
    "Aggregator",
    "Figures",
    "Percentiles",
    "ReportParams",
    "ReportRow",
    "Spool",
    "csv_lines",
    "draw",
    "json_lines",
]
