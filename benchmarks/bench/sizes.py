"""The counts and durations of each case: of a full run, and of a smoke run with tiny counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    rounds: int = 5
    seconds: float = 3  # of load, of one contender in one round
    warm_up_seconds: float = 1.5  # before the rounds; with 0, lazy loading counts
    connections: int = 8
    many_connections: int = 50
    owners: int = 50
    jobs: int = 100  # small ones, in a round
    tasks: int = 400  # of Celery, in a round
    peer_jobs: int = 1_000
    latencies: int = 20
    bundled: int = 1_000  # files
    uploads: int = 20
    watchers: int = 10_000
    watched: int = 500  # jobs
    changes: int = 40
    few_rows: int = 1_000
    many_rows: int = 1_000_000
    idle_seconds: float = 30
    autocannon_seconds: int = 15
    # A third of those in the description: one minute, three, one.
    stage_seconds: tuple[int, int, int] = (20, 60, 20)
    stage_users: tuple[int, int] = (50, 100)
    minute_seconds: int = 60
    requests_a_minute: int = 1_000
    flood: int = 5_000
    flood_a_second: int = 500
    flood_ends_seconds: float = 900
    limit_seconds: int = 5


FULL = Sizes()
SMOKE = Sizes(
    rounds=1,
    seconds=0.5,
    warm_up_seconds=0,
    owners=5,
    jobs=4,
    tasks=20,
    peer_jobs=20,
    latencies=2,
    bundled=5,
    uploads=2,
    watchers=50,
    watched=5,
    changes=2,
    few_rows=10,
    many_rows=1_000,
    idle_seconds=1,
    autocannon_seconds=1,
    stage_seconds=(1, 1, 1),
    stage_users=(2, 4),
    minute_seconds=2,
    flood=20,
    flood_a_second=20,
    limit_seconds=1,
)
