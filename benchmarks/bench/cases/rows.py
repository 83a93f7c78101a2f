"""The same work on a database with many rows and on one with few."""

from __future__ import annotations

from benchmarks.bench.cases.comparison import LoadTarget, compare_under_load
from benchmarks.bench.cases.jobs import measure_jobs
from benchmarks.bench.contenders.service import UNCHECKED, Service
from benchmarks.bench.figures import JOB, Result, compare
from benchmarks.bench.rig import Rig

# Columns of the figures: the first is divided by the second.
MANY, FEW = "many rows", "few rows"
EVERY_SECONDS = "interval '1 second'"
ALL = ("web", "worker", "dispatcher")


def many_rows(rig: Rig) -> Result:
    """Do polls, starts and small jobs cost more at 1,000,000 rows than at 1,000?"""
    services = {
        MANY: _filled(rig, "many_rows", 5, rig.sizes.many_rows),
        FEW: _filled(rig, "few_rows", 7, rig.sizes.few_rows),
    }
    result = Result()
    polls, starts, work = {}, {}, {}
    for name, service in services.items():
        roots = service.roots("web", "postgres", "redis")
        poll, start = service.poll(service.finished_job()), service.start_request(rig.sizes.owners)
        polls[name] = LoadTarget(lambda poll=poll: poll, roots)  # type: ignore[misc]
        starts[name] = LoadTarget(lambda start=start: start, roots, service.drop_queued)  # type: ignore[misc]
        work[name] = lambda service=service: measure_jobs(rig, service, rig.sizes.jobs)
    result.include(compare_under_load(rig, polls, rig.sizes.connections), "poll")
    result.include(compare_under_load(rig, starts, rig.sizes.connections), "start")
    result.include(compare(work, rig.sizes.rounds, unit=JOB), "small job")
    counted = {name: service.count("true") for name, service in services.items()}
    result.notes.append(", ".join(f"{name}: {count:,} jobs" for name, count in counted.items()))
    return result


def _filled(rig: Rig, database: str, broker: int, count: int) -> Service:
    service = rig.service_on(database, broker=broker)
    service.start(*ALL, WEB_PROCESSES="1")
    fill(service, count)
    return service


def fill(service: Service, count: int) -> None:
    """Add `count` copies of a finished job and its events, over all owners, one per second."""
    job_id = service.finished_job()
    job, event = (_columns(service, table) for table in ("jobs_downloadjob", "jobs_jobevent"))
    new = {
        "id": "gen_random_uuid()",
        "owner_id": "owners.ids[1 + n % cardinality(owners.ids)]",
        "created_at": f"created_at - n * {EVERY_SECONDS}",
    }
    values = ", ".join(new.get(name, name) for name in job)
    service.query(
        f"{UNCHECKED} INSERT INTO jobs_downloadjob ({', '.join(job)})"  # noqa: S608
        f" SELECT {values} FROM jobs_downloadjob, generate_series(1, {count}) n,"
        f" (SELECT array_agg(id) ids FROM auth_user) owners WHERE jobs_downloadjob.id = '{job_id}'"
    )
    event.remove("id")
    copied = ", ".join("jobs.id" if name == "job_id" else f"events.{name}" for name in event)
    service.query(
        f"{UNCHECKED} INSERT INTO jobs_jobevent ({', '.join(event)})"  # noqa: S608
        f" SELECT {copied} FROM jobs_jobevent events, jobs_downloadjob jobs"
        f" WHERE events.job_id = '{job_id}' AND jobs.id <> '{job_id}'"
    )
    service.query("VACUUM ANALYZE jobs_downloadjob")
    service.query("VACUUM ANALYZE jobs_jobevent")


def _columns(service: Service, table: str) -> list[str]:
    sql = (
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position"
    )
    return [str(name) for (name,) in service.query(sql, table)]
