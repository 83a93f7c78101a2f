"""A job's row without the ORM: the columns that the API shows, and those of its file.

The status poll, which reads many rows, decodes them here from Postgres' text format, at a tenth of
the cost of a model instance.
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
    """The columns of a stored file that a response shows."""

    key: str
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    file_id: int | None
    role: str

    @classmethod
    def decode(cls, values: Sequence[Value]) -> Self:
        """Return the row from the values of FILE_COLUMNS."""
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
    lane_id: int | None
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    metadata: dict[str, Any]
    artifact: FileRow | None


class JobRow(_Columns):
    """One row, with the attributes of a DownloadJob that a response needs."""

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
        """Return the row from the values of COLUMNS and FILE_COLUMNS, in text format and UTC."""
        count = len(COLUMNS)
        file = values[count:]
        # Without a key, the join found no file.
        artifact = None if file[0] is None else FileRow.decode(file)
        return cls._make([*_decode(_DECODERS, values[:count]), artifact])

    @classmethod
    def of(cls, columns: Sequence[str], values: Sequence[Value]) -> Self:
        """Return the row of a job without a file from a superset of the columns."""
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
COLUMNS = _Columns._fields[:-1]  # without the artifact, which is another row
FILE_COLUMNS = FileRow._fields
_DECODERS = [_DECODE[get_type_hints(_Columns)[name]] for name in COLUMNS]
_FILE_DECODERS = [_DECODE[kind] for kind in get_type_hints(FileRow).values()]
