"""A job's row, read without the ORM: the columns that the API shows, and its file's.

What reads rows in great numbers, the status poll, decodes them here from Postgres' text format. It
costs a tenth of an instance of the model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self, get_type_hints

from jobs.states import FINAL

Value = bytes | None
Decode = Callable[[bytes], Any]


class FileRow(NamedTuple):
    """The columns of a stored file that an answer shows."""

    key: str
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    file_id: int | None
    role: str

    @classmethod
    def decode(cls, values: Sequence[Value]) -> Self:
        """From the values of FILE_COLUMNS."""
        return cls._make(_decode(_FILE_DECODERS, values))


class _Columns(NamedTuple):
    id: str
    owner_id: int
    kind: str
    name: str
    priority: int
    status: str
    attempt: int
    failures: int
    version: int
    progress: float
    done: int
    total: int | None
    unit: str
    speed: int
    threads: int
    message: str
    held: bool
    error_code: str
    error: str
    run_at: datetime | None
    available_at: datetime
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    metadata: dict[str, Any]
    artifact: FileRow | None


class JobRow(_Columns):
    """One row. It has the attributes of a DownloadJob that an answer needs."""

    __slots__ = ()

    @property
    def pk(self) -> str:
        return self.id

    @property
    def is_finished(self) -> bool:
        return self.status in FINAL

    @property
    def is_due(self) -> bool:
        return not self.held and not self.is_scheduled

    @property
    def is_scheduled(self) -> bool:
        return self.run_at is not None and self.run_at > self.updated_at

    @classmethod
    def decode(cls, values: Sequence[Value]) -> Self:
        """From the values of COLUMNS and then of FILE_COLUMNS, in Postgres' text format, UTC."""
        count = len(COLUMNS)
        file = values[count:]
        # The join found no file where there is no key.
        artifact = None if file[0] is None else FileRow.decode(file)
        return cls._make([*_decode(_DECODERS, values[:count]), artifact])

    @classmethod
    def of(cls, columns: Sequence[str], values: Sequence[Value]) -> Self:
        """From the values of other columns, all of these among them, for a job without a file."""
        named = dict(zip(columns, values, strict=True))
        return cls.decode([*(named[name] for name in COLUMNS), *(None for _ in FILE_COLUMNS)])


def _decode(decoders: Sequence[Decode], values: Sequence[Value]) -> list[Any]:
    return [
        None if value is None else decode(value)
        for decode, value in zip(decoders, values, strict=True)
    ]


def _text(value: bytes) -> str:
    return value.decode()


def _truth(value: bytes) -> bool:
    return value == b"t"


def _facts(value: bytes) -> dict[str, Any]:
    return {} if value == b"{}" else dict(json.loads(value))


def _moment(value: bytes) -> datetime:
    return datetime.fromisoformat(value.decode())


_DECODE: dict[Any, Decode] = {
    str: _text,
    int: int,
    int | None: int,
    float: float,
    bool: _truth,
    datetime: _moment,
    datetime | None: _moment,
    dict[str, Any]: _facts,
}
COLUMNS = _Columns._fields[:-1]  # but the artifact, which is a row of its own
FILE_COLUMNS = FileRow._fields
_DECODERS = [_DECODE[get_type_hints(_Columns)[name]] for name in COLUMNS]
_FILE_DECODERS = [_DECODE[kind] for kind in get_type_hints(FileRow).values()]
