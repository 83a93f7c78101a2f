"""The load tests that the description of this service requires."""

from __future__ import annotations

import io
import time
from statistics import median
from tempfile import NamedTemporaryFile
from typing import Any

import requests
from PIL import Image

from benchmarks.bench import load
from benchmarks.bench.contenders.service import Service
from benchmarks.bench.figures import P50, P99, RATE, NotMeasured, Result, Row, percentile
from benchmarks.bench.rig import Rig

WITHIN_200_MS, ACCEPTED = "responses within 200 ms", "202 responses"
UPLOAD_P95 = "upload to jobId, p95"
UNFINISHED = "accepted jobs that did not finish"
POLL_SECONDS = 0.5


def autocannon(rig: Rig) -> Result:
    """autocannon with 50 connections for 15 s on the status of a job."""
    options = ["-c", str(rig.sizes.many_connections), "-d", str(rig.sizes.autocannon_seconds)]
    found = {"service": load.autocannon(rig.service.poll(rig.service.finished_job()), *options)}
    with rig.service.paused():
        found["peer"] = load.autocannon(rig.peer.poll(rig.peer.finished_job()), *options)

    def row(metric: str, unit: str, *path: str) -> Row:
        return Row(metric, unit, {name: [_at(found[name], *path)] for name in found})

    return Result(
        [
            row(RATE, "/s", "requests", "average"),
            row(P50, "ms", "latency", "p50"),
            row(P99, "ms", "latency", "p99"),
            row("responses other than 200", "", "non2xx"),
            row("errors", "", "errors"),
        ]
    )


def upload_answer(rig: Rig) -> Result:
    """Does an upload return its jobId within 200 ms? One upload at a time, of a picture."""
    took_ms, form = [], {"file": ("test.jpg", picture(), "image/jpeg")}
    for _ in range(rig.sizes.uploads + 1):
        url, headers = f"{rig.service.url}/upload", rig.service.headers()
        response = requests.post(url, files=form, headers=headers, timeout=30)
        if response.status_code != 202 or not response.json()["jobId"]:
            raise NotMeasured(f"an upload returns {response.status_code}")
        took_ms.append(response.elapsed.total_seconds() * 1000)
    result = Result()
    result.add("upload to jobId, p50", "ms", median(took_ms[1:]))  # the first loads modules
    result.add(UPLOAD_P95, "ms", percentile(took_ms[1:], 0.95))
    return result


def uploads_by_k6(rig: Rig) -> Result:
    """k6: 50, then 100, then 0 users, each of whom uploads pictures without a pause."""
    stages = ",".join(str(seconds) for seconds in rig.sizes.stage_seconds)
    users = ",".join(str(count) for count in rig.sizes.stage_users)
    return _k6(rig.service, STAGES=stages, USERS=users, MINUTE_SECONDS="0")


def uploads_a_minute(rig: Rig) -> Result:
    """k6: 1,000 uploads per minute, at a constant rate."""
    rate, seconds = str(rig.sizes.requests_a_minute), str(rig.sizes.minute_seconds)
    return _k6(rig.service, REQUESTS_A_MINUTE=rate, MINUTE_SECONDS=seconds)


def flood(rig: Rig) -> Result:
    """autocannon: 5,000 starts at 500 per second. Do all accepted jobs finish?"""
    service, sizes = rig.service, rig.sizes
    began = time.monotonic()
    before = service.count("true"), service.count("status = 'completed'")
    options = ["-a", str(sizes.flood), "-R", str(sizes.flood_a_second), "-t", "60"]
    load_result = load.autocannon(
        service.start_request(1), *options, "-c", str(min(500, sizes.flood_a_second))
    )
    responded_seconds = time.monotonic() - began
    while not service.is_idle():
        if time.monotonic() - began > sizes.flood_ends_seconds:
            break
        time.sleep(POLL_SECONDS)
    result, accepted = Result(), float(load_result["2xx"])
    rows = service.count("true") - before[0]
    result.add("accepted", "", accepted)
    result.add("refused or without response", "", sizes.flood - accepted)
    result.add("time to the last response", "s", responded_seconds)
    result.add("stored without a 202 response", "", rows - accepted)
    done = service.count("status = 'completed'") - before[1]
    result.add(UNFINISHED, "", max(0.0, accepted - done))
    result.add("time to the last completed job", "s", time.monotonic() - began)
    return result


def picture() -> bytes:
    content = io.BytesIO()
    Image.effect_noise((320, 240), 50).convert("RGB").save(content, "JPEG")
    return content.getvalue()


def _k6(service: Service, **env: str) -> Result:
    with NamedTemporaryFile(suffix=".jpg") as file:
        file.write(picture())
        file.flush()
        known = {"URL": service.url, "TOKEN": service.tokens[0], "PICTURE": file.name}
        summary = load.k6("uploads.js", known | env)
    service.drop_queued()  # else the next case would run them
    return _of_k6(summary)


def _of_k6(summary: dict[str, Any]) -> Result:
    metrics, checks = summary["metrics"], summary["root_group"]["checks"]
    result, took = Result(), metrics["http_req_duration"]
    result.add("uploads", "", metrics["http_reqs"]["count"])
    result.add("uploads per second", "/s", metrics["http_reqs"]["rate"])
    for metric, name in ((ACCEPTED, "status is 202"), (WITHIN_200_MS, "response time < 200ms")):
        check = checks[name]
        result.add(metric, "%", 100 * check["passes"] / (check["passes"] + check["fails"]))
    for metric, name in ((P50, "med"), ("p95", "p(95)"), ("slowest", "max")):
        result.add(metric, "ms", took[name])
    result.add("not sent in time", "", metrics.get("dropped_iterations", {}).get("count", 0))
    return result


def _at(found: dict[str, Any], *path: str) -> float:
    value: Any = found
    for name in path:
        value = value[name]
    return float(value)
