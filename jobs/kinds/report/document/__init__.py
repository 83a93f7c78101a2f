"""A report: its figures, and the file that shows them.

Takes rows and returns bytes. Uses no database, web or storage; called by a builder. Reportlab
writes the PDFs.
"""

from __future__ import annotations

from jobs.kinds.report.document.csv_rows import csv_lines
from jobs.kinds.report.document.figures import FigureAggregator, Figures, Percentiles
from jobs.kinds.report.document.json_rows import json_lines
from jobs.kinds.report.document.pdf import PDF_ROWS, draw_pdf
from jobs.kinds.report.document.report_input import ReportInput
from jobs.kinds.report.document.report_rows import ReportRow, RowSpool

__all__ = [
    "PDF_ROWS",
    "FigureAggregator",
    "Figures",
    "Percentiles",
    "ReportInput",
    "ReportRow",
    "RowSpool",
    "csv_lines",
    "draw_pdf",
    "json_lines",
]
