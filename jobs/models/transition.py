"""One SQL statement that updates a job if its status allows it, and inserts its event and file.

Only `DownloadJob._move` calls it. The statement is atomic and returns the updated row, so it needs
no transaction, no savepoint and no second query.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import Q, sql
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Now

from jobs.errors import NothingReady
from jobs.models.compiled import CompiledRowLoader, QuerySlot, execute_compiled_query
from jobs.models.event import JobEvent, storable_event_text
from jobs.models.stored_file import StoredFile
from jobs.states import MOVES, Actor, Event, Status

if TYPE_CHECKING:
    from jobs.models.job import DownloadJob

# Created once: compiled moves are cached by the identity of their expressions.
NOW = Now()
FINISHED = Coalesce("finished_at", NOW)  # expiry is not a second finish
# The id of the new file: the job refers to it before it is inserted.
NEW_FILE = RawSQL("nextval(pg_get_serial_sequence('jobs_storedfile', 'id'))", [])
FROM_JOB = {"id": "artifact_id", "expires_at": "expires_at"}  # columns of the new file
DEFAULTS = (
    "created_at",
    "bucket",
    "group",
    "etag",
    "missing_since",
    "deletion",
)  # the database's own

# What the owner or an operator reads if the status does not allow the move.
REFUSALS = {
    Event.CANCEL: "The download has finished and can no longer be cancelled.",
    Event.REQUEUE: "The download is ready or still active, so it cannot be retried.",
    Event.CHANGE_PRIORITY: "The download is not queued any more, or has this priority already.",
}


class Search(NamedTuple):
    """The arguments of jobs_next_1: the queue, and the kinds that this process can run.

    The lists have an element for each kind.
    """

    queue: str
    kinds: list[str]
    versions: list[int]  # of the params; earlier ones can run as well
    kind_limits: list[int | None]
    fixed_seconds: list[float]
    unit_seconds: list[float]  # per unit of the job's total


SEARCH_FIELDS: list[Any] = [
    models.TextField(),
    ArrayField(models.TextField()),
    ArrayField(models.SmallIntegerField()),
    ArrayField(models.IntegerField(null=True)),
    ArrayField(models.FloatField()),
    ArrayField(models.FloatField()),
]
# What jobs_next_1 returns.
FOUND_JOB = RawSQL("(SELECT job_id FROM found)", [])
FOUND_START = RawSQL("(SELECT virtual_start FROM found)", [])
FOUND_SECONDS = RawSQL("(SELECT estimated_seconds FROM found)", [])

Shape = tuple[tuple[str, Any], ...]  # columns, each with its expression; None: a value


@lru_cache(maxsize=100)
def seconds_from_now(seconds: float) -> Any:
    return NOW + timedelta(seconds=seconds)


def transition_changes(status: Status) -> dict[str, Any]:
    """Return what every move into `status` sets, so that the table's constraints hold."""
    if status == Status.PROCESSING:
        return {"lane": None}
    ended = {"lane": None, "virtual_start": None, "lease_until": None}
    if status == Status.QUEUED:  # without a lane: the dispatcher makes it ready on its next pass
        queued = {"available_at": NOW, "published_at": None, "finished_at": None}
        return ended | queued | {"collect_at": None}
    return ended | {"finished_at": FINISHED, "collect_at": NOW}


class CompiledMove(NamedTuple):
    """The statement for one kind of move, with slots for its values."""

    sql: str
    params: tuple[Any, ...]
    row: CompiledRowLoader[DownloadJob]


def update_for_transition(
    job: DownloadJob,
    event: Event,
    by: Actor,
    *,
    guard: Q,
    code: str,
    detail: str,
    file: StoredFile | None,
    search: Search | None = None,
    **changes: Any,
) -> int | None:
    """Update the row if the event is still allowed. Return the id of the new event.

    Return None, and change nothing, if it is not. Otherwise `job` has the new values of its row.
    `file` is inserted; NEW_FILE among the changes stands for its id. With `search`, the row is the
    one that it finds, and FOUND_START and FOUND_SECONDS among the changes are of its result.
    Raises NothingReady if it finds none.
    """
    shape = tuple(
        (name, value if _is_expression(value) else None) for name, value in changes.items()
    )
    statement = _compiled(type(job), event, guard, shape, file is not None, search is not None)
    line = {
        "event": event.value,
        "by": by.value,
        "code": code,
        "detail": storable_event_text(detail),
    }
    values = changes | line | {"where_id": job.pk, "where_attempt": job.attempt}
    if file:
        values |= {f"file_{field.name}": getattr(file, field.attname) for field in _file_fields()}
    if search:
        values |= search._asdict()
    rows = execute_compiled_query(statement.sql, statement.params, values)
    if search and not rows:
        raise NothingReady("No job of the queue may start now.")
    if not rows or rows[0][-2] is None:  # without an event: what the search found is taken
        return None
    (*row, line_id, file_made_at) = rows[0]
    statement.row.load(job, row)
    if file:
        _has_been_saved(file, job, file_made_at)
    return int(line_id)


def _is_expression(value: Any) -> bool:
    return hasattr(value, "resolve_expression")


def _has_been_saved(file: StoredFile, job: DownloadJob, made_at: Any) -> None:
    file.pk, file.created_at, file.expires_at = job.artifact_id, made_at, job.expires_at
    file._state.adding, file._state.db = False, connection.alias
    job.artifact = file


@lru_cache(maxsize=100)  # equal expressions are one key; delays vary
def _compiled(
    model: type[DownloadJob],
    event: Event,
    guard: Q,
    shape: Shape,
    with_file: bool,
    with_search: bool,
) -> CompiledMove:
    row = CompiledRowLoader(model)
    moved, params = _update(model, event, guard, shape, with_search)
    parts = [
        _search() if with_search else ("", []),
        (f"moved AS ({moved} RETURNING {row.columns})", params),
        _charge() if Status.PROCESSING in MOVES[event].sources else ("", []),
        _insert_line(),
        _insert_file() if with_file else ("file AS (SELECT NULL AS created_at)", []),
    ]
    source = "(moved CROSS JOIN line CROSS JOIN file)"
    if with_search:
        source = f"found LEFT JOIN {source} ON true WHERE found.job_id IS NOT NULL"
    statement = (  # only names are formatted in: values are in the slots
        f"WITH {', '.join(text for text, _ in parts if text)}"
        f" SELECT moved.*, line.id, file.created_at FROM {source}"
    )
    return CompiledMove(statement, tuple(param for _, params in parts for param in params), row)


def _search() -> tuple[str, list[Any]]:
    """Return the part that finds the job to claim."""
    slots = {
        name: QuerySlot(field, name)
        for name, field in zip(Search._fields, SEARCH_FIELDS, strict=True)
    }
    casts = ", ".join(f"%s::{field.db_type(connection)}" for field in SEARCH_FIELDS)
    return f"found AS MATERIALIZED (SELECT * FROM jobs_next_1({casts}))", list(slots.values())


def _charge() -> tuple[str, list[Any]]:
    """Return the part that adds the seconds of an ended attempt to what its owner has used.

    The row as it was before the statement says when the attempt started.
    """
    text = """charge AS (
        INSERT INTO jobs_queueshare AS share (queue, owner_id, used, started)
        SELECT job.queue, job.owner_id,
            extract(epoch FROM statement_timestamp() - job.started_at)
                / coalesce(preferences.weight, 1),
            job.virtual_start
        FROM moved JOIN jobs_downloadjob AS job ON job.id = moved.id
            LEFT JOIN jobs_preferences AS preferences ON preferences.owner_id = job.owner_id
        WHERE job.status = 'processing' AND job.virtual_start IS NOT NULL
        ON CONFLICT (queue, owner_id) DO UPDATE SET used = share.used + excluded.used,
            started = greatest(share.started, excluded.started)
    )"""
    return text, []


def _update(
    model: type[DownloadJob], event: Event, guard: Q, shape: Shape, with_search: bool
) -> tuple[str, list[Any]]:
    field = model._meta.get_field
    move = MOVES[event]
    which = FOUND_JOB if with_search else QuerySlot(field("id"), "where_id")
    rows = model.objects.filter(guard, pk=which, status__in=sorted(move.sources))
    if not move.any_attempt:
        rows = rows.filter(attempt=QuerySlot(field("attempt"), "where_attempt"))
    query: Any = rows.query.chain(sql.UpdateQuery)
    query.add_update_values(
        {name: QuerySlot(field(name)) if to is None else to for name, to in shape}
    )
    text, params = query.get_compiler(connection=connection).as_sql()
    return text, list(params)


def _insert_line() -> tuple[str, list[Any]]:
    field = JobEvent._meta.get_field
    text = (
        'line AS (INSERT INTO jobs_jobevent (job_id, attempt, event, "by", code, detail)'
        " SELECT id, attempt, %s, %s, %s, %s FROM moved RETURNING id)"
    )
    return text, [QuerySlot(field(name)) for name in ("event", "by", "code", "detail")]


def _insert_file() -> tuple[str, list[Any]]:
    fields = _file_fields()
    columns = ", ".join([*FROM_JOB, *(str(field.column) for field in fields)])
    values = ", ".join([*FROM_JOB.values(), *map(_typed, fields)])
    text = (
        f"file AS (INSERT INTO jobs_storedfile ({columns}) SELECT {values} FROM moved"
        " RETURNING created_at)"
    )
    return text, [QuerySlot(field, f"file_{field.name}") for field in fields]


def _file_fields() -> list[models.Field[Any, Any]]:
    """Return the fields that the StoredFile itself gives, not the job's row or the database."""
    fields = StoredFile._meta.concrete_fields
    return [field for field in fields if field.name not in (*FROM_JOB, *DEFAULTS)]


def _typed(field: models.Field[Any, Any]) -> str:
    # A parameter in a SELECT has no type of its own. Not for text: a cast would truncate it.
    return "%s" if isinstance(field, models.CharField) else f"%s::{field.db_type(connection)}"
