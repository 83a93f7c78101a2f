"""Every member of an archive against the file that it was made from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from downloads_client.errors import WrongBytes
from downloads_client.formatting import printable
from downloads_client.progress import Display
from downloads_client.service import Service


def compare(service: Service, path: Path, file_ids: list[int], display: Display) -> None:
    """A line for each member. Raises WrongBytes where one differs, or is missing."""
    try:
        with ZipFile(path) as archive:
            wrong = _wrong(service, archive, file_ids, display)
    except (BadZipFile, NotImplementedError, OSError) as error:
        raise WrongBytes(f"{path} is no archive that can be read.") from error
    if wrong:
        raise WrongBytes(f"{wrong} of {len(file_ids)} members differ from their sources.")


def _wrong(service: Service, archive: ZipFile, file_ids: list[int], display: Display) -> int:
    members = archive.infolist()
    wrong = abs(len(members) - len(file_ids))
    for file_id, member in zip(file_ids, members, strict=False):
        with archive.open(member) as content:
            same = hashlib.file_digest(content, "sha256").hexdigest() == service.sha256_of(file_id)  # type: ignore[arg-type]
        word = "same SHA-256" if same else "DIFFERENT"
        name = printable(member.filename)
        display.say(f"  {file_id}  {member.file_size:>12,}  {word}  {name}")
        wrong += not same
    return wrong
