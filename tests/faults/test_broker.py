"""Jobs complete although Redis stops, freezes, is flushed or refuses writes."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from jobs.engine.doorbell_message import TASK
from jobs.models import DownloadJob
from jobs.states import Status
from tests.faults.load import Load
from tests.faults.rig import HELD, Rig, slow
from tests.live import until

PRESENT_SECONDS = 0.3  # limit for a POST, whatever Redis does


@pytest.mark.long
def test_redis_killed_before_jobs_are_posted(service: Rig) -> None:
    """Redis is killed, 20 jobs are posted, Redis restarts with its data after 5 s."""
    service.ready_worker()
    service.wait_for(service.initiate(70000), "completed")
    service.take_down("Redis")

    began = time.monotonic()
    ids = [service.initiate(70000) for _ in range(20)]
    service.figure_of_posts(PRESENT_SECONDS)
    time.sleep(max(0, 5 - (time.monotonic() - began)))
    assert service.statuses(ids) == {"queued": 20}
    service.bring_up("Redis")

    claimed = DownloadJob.objects.filter(pk__in=ids, attempt__gte=1)
    service.figure("first run after the return", service.timed(claimed.exists), bound=10)
    service.judge()


@pytest.mark.long
def test_redis_frozen(service: Rig) -> None:
    """Redis is frozen for 10 s (SIGSTOP) while a client posts every 0.2 s."""
    service.ready_worker()
    service.wait_for(service.initiate(70000), "completed")
    server = service.servers["Redis"]

    service.freeze(server)
    ends, ids = time.monotonic() + 10, []
    while time.monotonic() < ends:
        ids.append(service.initiate(70000))
        time.sleep(0.2)
    assert service.statuses(ids) == {"queued": len(ids)}  # nothing got through
    service.thaw(server)

    service.figure_of_posts(PRESENT_SECONDS)
    service.figure("all done after the thaw", service.timed(service.all_final), bound=30)
    service.judge()


@pytest.mark.long
def test_redis_flushed(service: Rig) -> None:
    """FLUSHALL while 200 jobs wait for two workers."""
    for _ in range(2):
        service.ready_worker(**HELD, **slow(0.1))
    dispatcher = service.processes[0]
    service.freeze(dispatcher)  # it would ring again for jobs that wait for 2 s
    ids = [service.initiate(70000) for _ in range(200)]
    full = {"processing": 4, "queued": 196}
    until(lambda: service.statuses(ids) == full, 60, service.logs)
    until(lambda: service.doorbells() >= 192)  # a full worker holds one or two itself

    service.redis.flushall()
    assert service.doorbells() <= 4  # the last ones, if web published them late
    service.thaw(dispatcher)
    service.open_gate()

    service.figure("all done", service.timed(service.all_final, 300), bound=60)
    service.judge()
    service.figure("extra runs", service.count("claim") - 200, bound=0, unit="runs")


@pytest.mark.long
def test_redis_restarted_empty(service: Rig, stack_folder: Path) -> None:
    """Redis is killed and loses its files while one job runs and others wait."""
    service.worker(**HELD)
    running = [service.initiate(70000) for _ in range(2)]
    for job_id in running:
        service.wait_for(job_id, "processing")
    dispatcher = service.processes[0]
    service.freeze(dispatcher)  # it would ring as soon as Redis is back
    waiting = [service.initiate(70000) for _ in range(6)]
    until(lambda: service.doorbells() >= 4)  # a full worker holds one or two itself

    service.take_down("Redis")
    shutil.rmtree(stack_folder / "redis/appendonlydir")
    service.bring_up("Redis")
    assert service.doorbells() == 0

    service.thaw(dispatcher)
    until(lambda: service.doorbells() > 0, 20, service.logs)
    service.open_gate()
    claimed = DownloadJob.objects.filter(pk__in=waiting, attempt__gte=1)
    service.figure("next run after the return", service.timed(claimed.exists), bound=10)
    service.judge()
    service.figure("extra runs", service.count("claim") - 8, bound=0, unit="runs")


@pytest.mark.long
def test_redis_connections_hang(service: Rig) -> None:
    """Every connection to Redis hangs; 3 s later new ones work."""
    service.ready_worker()
    service.wait_for(service.initiate(70000), "completed")
    line = service.lines["Redis"]

    line.blackhole()
    job_id = service.initiate(70000)
    time.sleep(3)
    assert service.statuses([job_id]) == {"queued": 1}  # no doorbell arrives
    line.pass_on()

    claimed = DownloadJob.objects.filter(pk=job_id, attempt__gte=1)
    service.figure("recovery of the worker", service.timed(claimed.exists), bound=10)
    service.judge()


@pytest.mark.long
def test_redis_connections_reset_repeatedly(service: Rig) -> None:
    """Every connection to Redis is reset each half second for 10 s, under load."""
    worker = service.ready_worker()
    line = service.lines["Redis"]

    with Load(service, clients=4) as load:
        for _ in range(20):
            time.sleep(0.5)
            line.reset()

    assert worker.log.read_text(errors="replace").count("Connection to broker lost") > 3
    service.figure_of_posts(PRESENT_SECONDS)
    assert set(load.answers) == {202}
    assert not load.failed
    service.figure("all done after the last", service.timed(service.all_final), bound=20)
    service.judge()


@pytest.mark.long
def test_redis_connections_slow(service: Rig) -> None:
    """A delay of 300 ms in each direction between the service and Redis."""
    service.ready_worker()
    service.lines["Redis"].delay(0.3)

    for _ in range(8):
        service.initiate(70000)

    service.figure_of_posts(PRESENT_SECONDS)
    service.figure("all done", service.timed(service.all_final), bound=40)
    service.judge()


@pytest.mark.long
def test_redis_out_of_memory(service: Rig) -> None:
    """Redis is out of memory and refuses every write for 5 s."""
    worker = service.ready_worker(**HELD, **slow(0.2))
    ids = [service.initiate(70000) for _ in range(10)]
    until(lambda: service.doorbells() >= 6)  # the worker fetches them when it can

    with configured(service, maxmemory=1):
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            service.redis.set("probe", 1)
        service.open_gate()
        ids += [service.initiate(70000) for _ in range(10)]
        time.sleep(5)

    service.figure_of_posts(PRESENT_SECONDS)
    service.figure("all done", service.timed(service.all_final), bound=20)
    service.judge()
    assert worker.is_alive
    assert "used memory > 'maxmemory'" in worker.log.read_text()


@pytest.mark.long
def test_redis_refuses_writes(service: Rig) -> None:
    """Redis lacks its replica and refuses every write for 5 s."""
    worker = service.ready_worker(**HELD, **slow(0.2))
    ids = [service.initiate(70000) for _ in range(10)]
    until(lambda: service.doorbells() >= 6)  # the worker fetches them when it can

    with configured(service, min_replicas_to_write=1):
        with pytest.raises(redis.exceptions.ResponseError, match="NOREPLICAS"):
            service.redis.set("probe", 1)
        service.open_gate()
        ids += [service.initiate(70000) for _ in range(10)]
        time.sleep(5)

    service.figure_of_posts(PRESENT_SECONDS)
    service.figure("all done", service.timed(service.all_final), bound=20)
    service.judge()
    assert worker.is_alive
    assert "NOREPLICAS" in worker.log.read_text()


def test_doorbell_queued_fifty_times(service: Rig) -> None:
    """The doorbell of one job is queued 50 times before four processes start."""
    job_id = service.initiate(70000)
    service.ring(*[job_id] * 50)
    assert service.doorbells() >= 50

    workers = [service.worker() for _ in range(2)]
    service.wait_for(job_id, "completed")

    def refused() -> int:
        return sum(worker.log.read_text().count("no job is ready") for worker in workers)

    until(lambda: refused() >= 50, 30, service.logs)  # web rang once, and this test 50 times
    service.judge()
    service.figure("extra claims", service.count("claim") - 1, bound=0, unit="claims")
    service.figure("refused claims", refused(), bound=None, unit="claims")


@pytest.mark.long
def test_invalid_doorbells(service: Rig) -> None:
    """Malformed messages and messages for unknown or finished jobs are queued among valid ones."""
    worker = service.worker()
    finished = service.initiate(70000)
    service.wait_for(finished, "completed")
    junk: list[Callable[[], None]] = [
        lambda: service.ring(finished, str(uuid4()), "no id", ""),
        lambda: service.ring(finished, task="jobs.unknown"),
        lambda: push(service, message([])),
        lambda: push(service, message([finished, finished, 3])),
        lambda: push(service, message([{"a": 1}])),
        lambda: push(service, message([finished]) | {"body": "bm8ganNvbg=="}),
        lambda: push(
            service,
            message([finished])
            | {"content-type": "application/x-python-serialize", "body": "gASVAAAAAAAAAAA="},
        ),
    ]
    for send in junk:
        send()
        service.initiate(70000)

    service.figure("all done", service.timed(service.all_final), bound=15)
    service.judge()
    assert worker.is_alive
    assert service.count("claim") == len(service.accepted)
    service.wait_for(service.initiate(70000), "completed")


@pytest.mark.long
def test_bytes_that_are_not_a_message(service: Rig) -> None:
    """Bytes that are not a message are queued: Celery's worker ends and is replaced."""
    worker = service.ready_worker(**slow(3))
    running = service.initiate(70000)
    service.wait_for(running, "processing")
    service.redis.lpush(f"{settings.QUEUE}:5", b"no message")

    service.figure("until the worker ended", service.timed(lambda: not worker.is_alive), bound=15)
    for _ in range(3):
        service.initiate(70000)
    service.worker()
    service.judge()


def test_web_loses_every_doorbell(rig: Rig) -> None:
    """Nothing listens at the address of web's Redis, so web loses every doorbell."""
    rig.start("dispatcher")
    web = rig.start("web", REDIS_URL="redis://127.0.0.1:1/1")
    rig.ready_worker()
    began = time.monotonic()
    job_id = rig.initiate(70000)
    until(DownloadJob.objects.filter(pk=job_id, attempt=1).exists)
    rig.figure("first claim", time.monotonic() - began, bound=5)

    for _ in range(20):
        rig.initiate(70000)
    rig.judge()
    assert "doorbells lost" in web.log.read_text()


@pytest.mark.long
def test_doorbell_behind_a_thousand_others(service: Rig) -> None:
    """A doorbell is queued behind 1,000 for unknown jobs."""
    with service.redis.pipeline() as pipe:
        for _ in range(1_000):
            pipe.lpush(f"{settings.QUEUE}:5", json.dumps(message([str(uuid4())])))
        pipe.execute()
    job_id = service.initiate(70000)
    until(lambda: service.doorbells() == 1_001)

    service.ready_worker()
    done = DownloadJob.objects.filter(pk=job_id, status=Status.COMPLETED)
    service.figure("done", service.timed(done.exists, 120), bound=60)
    service.judge()


@pytest.mark.long
def test_redis_down_for_longer(service: Rig) -> None:
    """Redis is down for 22 s, so long that the pauses between reconnects could grow."""
    worker = service.worker()
    service.wait_for(service.initiate(70000), "completed")
    service.restart("Redis", down_seconds=22)
    job_id = service.initiate(70000)

    claimed = DownloadJob.objects.filter(pk=job_id, attempt__gte=1)
    service.figure("first run after the return", service.timed(claimed.exists), bound=10)
    service.judge()
    pauses = re.findall(r"Trying again in ([0-9.]+) seconds", worker.log.read_text())
    service.figure("longest pause of the worker", max(map(float, pauses)), bound=5)


@pytest.mark.long
def test_redis_connections_killed(service: Rig) -> None:
    """CLIENT KILL for every connection to Redis each second for 8 s, under load."""
    service.ready_worker()
    killed = 0

    with Load(service, clients=4) as load:
        for _ in range(8):
            time.sleep(1)
            killed += int(service.redis.client_kill_filter(_type="normal", skipme=True))

    assert killed > 8
    service.figure_of_posts(PRESENT_SECONDS)
    assert set(load.answers) == {202}
    service.figure("all done after the last", service.timed(service.all_final), bound=20)
    service.judge()


@pytest.mark.long
def test_burst_while_redis_is_frozen(service: Rig) -> None:
    """300 jobs are posted while Redis is frozen; then two workers take 0.2 s for each."""
    for _ in range(2):
        service.ready_worker(**slow(0.2))
    service.wait_for(service.initiate(70000), "completed")
    service.freeze(service.servers["Redis"])
    for _ in range(300):
        service.initiate(70000)
    service.figure_of_posts(PRESENT_SECONDS)
    service.thaw(service.servers["Redis"])

    longest = 0
    ends = time.monotonic() + 120
    while not service.all_final():
        longest = max(longest, service.doorbells())
        assert time.monotonic() < ends, service.logs()
        time.sleep(0.1)

    # Doorbells of web, some sent twice over a connection that hung, and of the dispatcher.
    service.figure("longest list", longest, bound=settings.QUEUE_SHORT + 350, unit="doorbells")
    service.judge()
    service.figure("extra runs", service.count("claim") - 301, bound=0, unit="runs")


@pytest.fixture
def stack_folder(rig: Rig) -> Path:
    return rig.servers["Redis"].log.parent


@contextmanager
def configured(service: Rig, **options: int) -> Iterator[None]:
    """Change options of Redis for a while."""
    before = {}
    for name, value in options.items():
        before |= service.redis.config_get(name.replace("_", "-"))
        service.redis.config_set(name.replace("_", "-"), value)
    try:
        yield
    finally:
        for name, value in before.items():
            service.redis.config_set(name, value)


def message(args: list[object]) -> dict[str, object]:
    """Return a doorbell as it is stored in the list."""
    body = json.dumps([args, {}, {"callbacks": None, "errbacks": None}])
    task_id = str(uuid4())
    return {
        "body": b64(body),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": TASK, "id": task_id, "argsrepr": "", "kwargsrepr": ""},
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": settings.QUEUE},
            "priority": 5,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def push(service: Rig, raw: dict[str, object]) -> None:
    service.redis.lpush(f"{settings.QUEUE}:5", json.dumps(raw))
