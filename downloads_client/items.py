"""Recognises file numbers, IDs of downloads and web addresses in the command line."""

from __future__ import annotations

import re

FILE_NUMBER = re.compile(r"[0-9]{1,9}")
JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
WEB_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


def is_file_item(text: str) -> bool:
    return bool(FILE_NUMBER.fullmatch(text))


def is_job_item(text: str) -> bool:
    return bool(JOB_ID.fullmatch(text))


def is_link_item(text: str) -> bool:
    return bool(WEB_ADDRESS.match(text))
