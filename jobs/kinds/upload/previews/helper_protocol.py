"""The messages between a worker and a helper process: one line of JSON each.

The helper is not trusted, since a malicious file may control it: every message is validated.
"""

from __future__ import annotations

import json
import math
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from jobs import errors
from jobs.kinds.upload.previews.preview_result import CreatedPreview, PreviewLimits, PreviewResult
from jobs.kinds.upload.previews.preview_types import PreviewType

MAX_LINE_BYTES = 16 * 1024
MAX_BYTES = 1024 * 1024
MAX_TEXT = 200
ERRORS: dict[str, type[errors.ProcessingError]] = {
    error.code: error
    for error in (
        errors.FileUnreadable,
        errors.FileEncrypted,
        errors.PictureTooLarge,
        errors.FileTooComplex,
    )
}
TOO_MUCH = "Reading the file takes too much memory or disk space: it is too complex or damaged."
FACTS = {"pages", "textPages", "width", "height", "durationSeconds", "skipped", "skippedCode"}


@dataclass(frozen=True)
class HelperTask:
    """What a helper is to do for the process `parent`. Passed on its command line."""

    source: str
    content_type: str
    folder: str
    limits: PreviewLimits
    parent: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> HelperTask:
        fields = json.loads(text)
        return cls(**fields | {"limits": PreviewLimits(**fields["limits"])})


class ProtocolError(ValueError):
    """A message that an unmodified helper would never send."""


@dataclass(frozen=True)
class Ready:
    """The sandbox is set up. Errors from here on are caused by the file."""


@dataclass(frozen=True)
class Progress:
    message: str


Message = Ready | Progress | PreviewResult | errors.ProcessingError


def helper_ready_message() -> str:
    return json.dumps({"ready": True})


def helper_progress_message(message: str) -> str:
    return json.dumps({"say": message})


def helper_result_message(result: PreviewResult) -> str:
    files = [[each.role, each.path.name, each.content_type] for each in result.previews]
    return json.dumps({"made": files, "facts": result.facts})


def helper_error_message(error: errors.ProcessingError) -> str:
    return json.dumps({"refused": error.code, "sentence": str(error)})


def parse_helper_message(line: bytes, preview_type: PreviewType, folder: Path) -> Message:
    """Return the message. Raises ProtocolError. Call `check_helper_files` later."""
    try:
        message = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("no JSON") from error
    match message:
        case {"ready": True}:
            return Ready()
        case {"say": str(text)}:
            return Progress(_text(text))
        case {"refused": str(code), "sentence": str(sentence)} if code in ERRORS:
            return ERRORS[code](_text(sentence))
        case {"made": list(files), "facts": dict(facts)}:
            return PreviewResult(_files(files, preview_type, folder), _facts(facts))
    raise ProtocolError("no known line")


def check_helper_files(result: PreviewResult, limits: PreviewLimits) -> None:
    """Raise ProtocolError unless the previews are plain files without other hard links."""
    sizes = 0
    for each in result.previews:
        try:
            found = each.path.lstat()
        except OSError as error:
            raise ProtocolError(f"no {each.role}") from error
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise ProtocolError(f"the {each.role} is no file of its own")
        sizes += found.st_size
    if sizes > limits.file_bytes:
        raise ProtocolError("too much was made")


def _files(files: list[Any], preview_type: PreviewType, folder: Path) -> tuple[CreatedPreview, ...]:
    found = {}
    for each in files:
        match each:
            case [str(role), str(name), str(content_type)]:
                if content_type not in preview_type.content_types.get(role, ()) or role in found:
                    raise ProtocolError("no such thing is made")
                if not name or Path(name).name != name or "\0" in name or len(name) > MAX_TEXT:
                    raise ProtocolError("no name of a file in the folder")
                found[role] = CreatedPreview(role, folder / name, content_type)
            case _:
                raise ProtocolError("no file")
    return tuple(found.values())


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    if not facts.keys() <= FACTS:
        raise ProtocolError("no known facts")
    if facts.get("skippedCode", "file_unreadable") not in errors.PREVIEW_CODES:
        raise ProtocolError("no known code")
    for value in facts.values():
        if isinstance(value, str):
            _text(value)
        elif not (type(value) in (int, float) and math.isfinite(value) and abs(value) < 10**15):
            raise ProtocolError("no fact")
    return facts


def _text(text: str) -> str:
    if len(text) > MAX_TEXT or not text.isprintable():
        raise ProtocolError("no short sentence")
    return text


def _refuse_constant(text: str) -> NoReturn:
    raise ProtocolError(text)
