"""What a helper process is told, and what it says, a line of JSON each: that is read with distrust.
Pure."""

from __future__ import annotations

import json
import math
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from jobs import errors
from jobs.kinds.upload.previews.outcome import Limits, Made, Outcome
from jobs.kinds.upload.previews.preview_types import Maker

MAX_LINE_BYTES = 16 * 1024
MAX_BYTES = 1024 * 1024
MAX_TEXT = 200
REFUSALS: dict[str, type[errors.ProcessingError]] = {
    refusal.code: refusal
    for refusal in (
        errors.FileUnreadable,
        errors.FileEncrypted,
        errors.PictureTooLarge,
        errors.FileTooComplex,
    )
}
TOO_MUCH = "Reading the file takes too much memory or disk space: it is too complex or damaged."
FACTS = {"pages", "textPages", "width", "height", "durationSeconds", "skipped", "skippedCode"}


@dataclass(frozen=True)
class Task:
    """What a helper is started for, by the process `parent`."""

    source: str
    content_type: str
    folder: str
    limits: Limits
    parent: int

    def written(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Task:
        told = json.loads(text)
        return cls(**told | {"limits": Limits(**told["limits"])})


class Garbled(ValueError):
    """No helper of ours says that."""


@dataclass(frozen=True)
class Ready:
    """Whatever goes wrong from here on is the file's doing."""


@dataclass(frozen=True)
class Said:
    message: str


Heard = Ready | Said | Outcome | errors.ProcessingError


def ready() -> str:
    return json.dumps({"ready": True})


def said(message: str) -> str:
    return json.dumps({"say": message})


def made(outcome: Outcome) -> str:
    files = [[each.role, each.path.name, each.content_type] for each in outcome.made]
    return json.dumps({"made": files, "facts": outcome.facts})


def refused(refusal: errors.ProcessingError) -> str:
    return json.dumps({"refused": refusal.code, "sentence": str(refusal)})


def heard(line: bytes, maker: Maker, folder: Path) -> Heard:
    """Raises Garbled. Whether there are such files is not looked at: see `check_files`."""
    try:
        told = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Garbled("no JSON") from error
    match told:
        case {"ready": True}:
            return Ready()
        case {"say": str(message)}:
            return Said(_text(message))
        case {"refused": str(code), "sentence": str(sentence)} if code in REFUSALS:
            return REFUSALS[code](_text(sentence))
        case {"made": list(files), "facts": dict(facts)}:
            return Outcome(_files(files, maker, folder), _facts(facts))
    raise Garbled("no known line")


def check_files(outcome: Outcome, limits: Limits) -> None:
    """Raises Garbled unless they are plain files, and no other names of what lies elsewhere."""
    sizes = 0
    for each in outcome.made:
        try:
            found = each.path.lstat()
        except OSError as error:
            raise Garbled(f"no {each.role}") from error
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise Garbled(f"the {each.role} is no file of its own")
        sizes += found.st_size
    if sizes > limits.file_bytes:
        raise Garbled("too much was made")


def _files(files: list[Any], maker: Maker, folder: Path) -> tuple[Made, ...]:
    found = {}
    for each in files:
        match each:
            case [str(role), str(name), str(content_type)]:
                if content_type not in maker.makes.get(role, ()) or role in found:
                    raise Garbled("no such thing is made")
                if not name or Path(name).name != name or "\0" in name or len(name) > MAX_TEXT:
                    raise Garbled("no name of a file in the folder")
                found[role] = Made(role, folder / name, content_type)
            case _:
                raise Garbled("no file")
    return tuple(found.values())


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    if not facts.keys() <= FACTS:
        raise Garbled("no known facts")
    if facts.get("skippedCode", "file_unreadable") not in errors.PREVIEW_CODES:
        raise Garbled("no known code")
    for value in facts.values():
        if isinstance(value, str):
            _text(value)
        elif not (type(value) in (int, float) and math.isfinite(value) and abs(value) < 10**15):
            raise Garbled("no fact")
    return facts


def _text(text: str) -> str:
    if len(text) > MAX_TEXT or not text.isprintable():
        raise Garbled("no short sentence")
    return text


def _no_number(text: str) -> NoReturn:
    raise Garbled(text)
