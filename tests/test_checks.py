"""Settings that contradict each other stop every process, with a message on how to fix them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings as settings_of_tests
from django.core.checks import CheckMessage, run_checks

from downloads_project.local.ports import free_ports
from jobs import storage
from jobs.engine.celery_app import celery_app
from jobs.kinds.registry import KINDS
from jobs.kinds.upload import previews
from jobs.lib import preflight
from jobs.operations.checks import known_secrets
from jobs.operations.checks.sign_in import check_oidc_issuer
from tests.live import BIN, ROOT, until

# The settings that an operator must set, as in docker-compose.yml.
PRODUCTION = {
    "PRODUCTION": "true",
    "SECRET_KEY": "k9PzQ3v_7LrT2mXw8YdB5nHc4JfA6sGqV0uEoIiRtZlNpKxMbWyDhCeSgUaOj1F",
    "ALLOWED_HOSTS": "downloads.example.com",
    "DATABASE_URL": "postgresql://postgres/downloads",
    "REDIS_URL": "redis://redis",
    "S3_ENDPOINT_URL": "http://minio:9000",
    "S3_PUBLIC_ENDPOINT_URL": "https://files.example.com",
    "S3_ACCESS_KEY_ID": "key",
    "S3_SECRET_ACCESS_KEY": "secret",
    "TRUSTED_PROXIES": "10.0.0.0/8",
    "BASE_URL": "https://downloads.example.com",
}
# Two settings that contradict each other.
REFUSED = {"TRUSTED_PROXIES": "10.0.0.0/8", "TRUSTED_PROXY_HOPS": "1", "ENV_FILES": ""}


OIDC = {
    "OIDC_ISSUER": "http://id.example.com",
    "OIDC_CLIENT_ID": "downloads",
    "OIDC_CLIENT_SECRET": "secret",
}


def s3_keys(access_key: str, secret_key: str) -> dict[str, Any]:
    return {"default": {"OPTIONS": {"access_key": access_key, "secret_key": secret_key}}}


@pytest.fixture(autouse=True)
def suited_for_production(settings: Any) -> None:
    """Without EMAIL_URL, whose test value causes a warning, and with another SECRET_KEY."""
    settings.MAIL_IS_ON = False
    settings.SECRET_KEY = PRODUCTION["SECRET_KEY"]


def ids(found: list[CheckMessage]) -> list[str]:
    return sorted(str(each.id) for each in found)


def test_the_defaults_are_fine() -> None:
    assert run_checks() == []


def test_healthy_attempts_do_not_stall(settings: Any) -> None:
    """The times for a helper, the scanner, the store and a link, without progress."""
    limits = previews.PreviewLimits()
    waits = [
        limits.wall_seconds * limits.video_times,
        4 * storage.SLOW_READ_SECONDS,  # the attempts of one request
        settings.CLAMD_SILENT_SECONDS,
        2 * settings.REMOTE_SLOW_SECONDS,
        settings.REMOTE_SILENT_SECONDS,
    ]
    assert max(waits) < settings.STALLED_SECONDS


def test_largest_request_fits(settings: Any) -> None:
    bytes_of_an_id = 8  # seven digits and a comma
    assert settings.MAX_FILES_PER_BUNDLE * bytes_of_an_id <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE


@pytest.mark.parametrize("lease", ["4", "5", "60", "86400"])
def test_leases_outlive_their_renewal(lease: str) -> None:
    code = "print(s.RENEW_SECONDS, s.FENCE_SECONDS, s.LEASE_SECONDS, s.BEAT_SECONDS)"
    done = subprocess.run(
        [sys.executable, "-c", f"from downloads_project import settings as s; {code}"],
        cwd=ROOT,
        env=os.environ | {"LEASE_SECONDS": lease},
        capture_output=True,
        text=True,
    )

    renew, fence, lease_seconds, beat = map(float, done.stdout.split())
    assert renew < fence < lease_seconds == float(lease)
    # A lease is renewed by the first check after RENEW_SECONDS.
    assert beat < min(fence, lease_seconds - renew)


def test_late_writers_are_collected(settings: Any) -> None:
    longest = max(kind.time_limit_seconds for kind in KINDS.values() if kind.makes_file)
    assert longest + settings.KILL_AFTER_SECONDS <= settings.COLLECT_AGAIN_SECONDS


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SIMULATED_DELAY_SECONDS": [20.0, 10.0]}, "jobs.E002"),
        ({"SIMULATED_DELAY_SECONDS": [10.0]}, "jobs.E002"),
        ({"SIMULATED_DELAY_SECONDS": [-1.0, 10.0]}, "jobs.E002"),
        (
            {"PRODUCTION": True, "DEBUG": True, "S3_PUBLIC_ENDPOINT_URL": "https://s3.io"},
            "jobs.E006",
        ),
        ({"S3_ENDPOINT_URL": "minio:9000"}, "jobs.E007"),
        ({"S3_PUBLIC_ENDPOINT_URL": "https://[::1"}, "jobs.E007"),
        ({"RATES": {"sign-in": ["10/60"]}}, "jobs.E010"),
        ({"RATES": {"poll": ["owner:0/60"]}}, "jobs.E010"),
        ({"TRUSTED_PROXIES": ["10.0.0.0/33"]}, "jobs.E011"),
        ({"GATEWAY_ADDRESSES": ["gateway"]}, "jobs.E011"),
        ({"TRUSTED_PROXIES": ["10.0.0.0/8"], "TRUSTED_PROXY_HOPS": 1}, "jobs.E012"),
        ({"GATEWAY_USER_HEADER": "X-User-Id"}, "jobs.E013"),
        ({"CACHE_URL": settings_of_tests.CELERY_BROKER_URL}, "jobs.W008"),
        ({"CACHE_URL": "redis+socket:///run/redis.sock"}, "jobs.E016"),
        ({"CACHE_URL": "sentinel://h:26379/1"}, "jobs.E016"),
        ({"CACHE_URL": "redis://h/1?visibility_timeout=30"}, "jobs.E016"),
        ({"CACHE_URL": "rediss://h/1?ssl_cert_reqs=CERT_REQUIRED"}, "jobs.E016"),
        ({"REMOTE_PORTS": [443, 0]}, "jobs.E017"),
        ({"REMOTE_PORTS": [65_536]}, "jobs.E017"),
        ({"REMOTE_ALLOWED_PRIVATE_HOSTS": ["minio", "10.0.0.0/33"]}, "jobs.E018"),
        ({"REMOTE_ALLOWED_PRIVATE_HOSTS": ["10.0.0.1/8"]}, "jobs.E018"),
        ({"REMOTE_ALLOWED_PRIVATE_HOSTS": ["127.1"]}, "jobs.E018"),
        ({"REMOTE_ALLOWED_PRIVATE_HOSTS": ["http://x"]}, "jobs.E018"),
        ({"REMOTE_ALLOWED_PRIVATE_HOSTS": ["*.example.com"]}, "jobs.E018"),
        ({"REMOTE_ALLOWED_PRIVATE_HOSTS": ["minio:9000"]}, "jobs.E018"),
        ({"CLAMD": ""}, "jobs.E019"),
        ({"CLAMD": "OFF"}, "jobs.E019"),
        ({"CLAMD": "clamav:3310"}, "jobs.E019"),
        ({"CLAMD": "tcp://clamav"}, "jobs.E019"),
        ({"CLAMD": "tcp://clamav:0"}, "jobs.E019"),
        ({"CLAMD": "tcp://clamav:65536"}, "jobs.E019"),
        ({"CLAMD": "tcp://me@clamav:3310"}, "jobs.E019"),
        ({"CLAMD": "tcp://clamav:3310/"}, "jobs.E019"),
        ({"CLAMD": f"tcp://{'a' * 64}:3310"}, "jobs.E019"),
        ({"CLAMD": "tcp://::1:3310"}, "jobs.E019"),
        ({"CLAMD": "unix://run/clamd.ctl"}, "jobs.E019"),
        ({"CLAMD": "/run/clamd.ctl"}, "jobs.E019"),
        ({"CORS_ALLOWED_ORIGINS": ["https://*.example.com"]}, "jobs.E015"),
        ({"CORS_ALLOWED_ORIGINS": ["https://App.example.com"]}, "jobs.E015"),
        ({"CORS_ALLOWED_ORIGINS": ["https://app.example.com:443"]}, "jobs.E015"),
        ({"CORS_ALLOWED_ORIGINS": ["https://app.example.com:x"]}, "jobs.E015"),
        ({"CORS_ALLOWED_ORIGINS": ["https://me@app.example.com"]}, "jobs.E015"),
        ({"CORS_ALLOWED_ORIGINS": ["ftp://app.example.com"]}, "jobs.E015"),
        ({"CORS_ALLOWED_ORIGINS": ["https://app.example.com "]}, "jobs.E015"),
        ({"CORS_ALLOWED_ORIGINS": ["null"]}, "jobs.E015"),
        ({"BASE_URL": "downloads.example.com"}, "jobs.E020"),
        ({"BASE_URL": "ftp://downloads.example.com"}, "jobs.E020"),
        ({"BASE_URL": "https://example.com/downloads"}, "jobs.E020"),
        ({"BASE_URL": "https://example.com?a=b"}, "jobs.E020"),
        ({"BASE_URL": "https://me@example.com"}, "jobs.E020"),
        ({"BASE_URL": "https://:443"}, "jobs.E020"),
        ({"BASE_URL": "https://example.com:x"}, "jobs.E020"),
        ({"BASE_URL": "https://bücher.example"}, "jobs.E020"),
        ({"DEFAULT_FROM_EMAIL": "Downloads"}, "jobs.E022"),
        ({"OPERATOR_EMAILS": ["olga@"], "MAIL_IS_ON": True}, "jobs.E022"),
        ({"OPERATOR_EMAILS": ["ольга@example"], "MAIL_IS_ON": True}, "jobs.E022"),
        ({"OPERATOR_EMAILS": ["olga@example.com>x"], "MAIL_IS_ON": True}, "jobs.E022"),
        ({"OPERATOR_EMAILS": ["olga@example.com"]}, "jobs.W011"),
        (OIDC | {"OIDC_ISSUER": "id.example.com"}, "jobs.E050"),
        (OIDC | {"OIDC_ISSUER": "ftp://id.example.com"}, "jobs.E050"),
        (OIDC | {"OIDC_ISSUER": "https://id.example.com:x"}, "jobs.E050"),
        (
            OIDC | {"OIDC_ISSUER": "https://id.example.com/.well-known/openid-configuration"},
            "jobs.E050",
        ),
        (OIDC | {"OIDC_CLIENT_SECRET": ""}, "jobs.E051"),
        (OIDC | {"OIDC_CLIENT_ID": ""}, "jobs.E051"),
        (OIDC | {"OIDC_SCOPES": ["email"]}, "jobs.E052"),
        ({"OIDC_CLIENT_ID": "downloads"}, "jobs.W050"),
        (OIDC | {"STAFF_GROUP": "operators"}, "jobs.W051"),
        ({"GATEWAY_EMAIL_HEADER": "X-User-Email"}, "jobs.W052"),
        ({"GATEWAY_GROUPS_HEADER": "X-User-Groups"}, "jobs.W052"),
        ({"SANDBOX_OPTIONAL_LAYERS": ["landlock", "namespaces"]}, "jobs.E025"),
        ({"SIMULATED_DELAY_SECONDS": [10.0, 300.0]}, "jobs.W001"),
        ({"RESULT_KEPT_SECONDS": 599}, "jobs.W005"),
        ({"REMOTE_MAX_BYTES": 5 * 2**40 + 1}, "jobs.W013"),
    ],
)
def test_each_contradiction_is_reported_once_with_a_solution(
    settings: Any, changes: dict[str, Any], expected: str
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)

    found = run_checks()

    assert ids(found) == [expected]
    assert found[0].hint


@pytest.mark.parametrize(
    "changes",
    [
        {"DEBUG": True},
        {"SIMULATED_DELAY_SECONDS": [10.0, 299.0]},
        {"RESULT_KEPT_SECONDS": 60, "DOWNLOAD_URL_SECONDS": 60},
        {"CORS_ALLOWED_ORIGINS": ["https://app.example.com", "http://[::1]:3000"]},
        {"CLAMD": "tcp://[::1]:3310"},
        {"CLAMD": "unix:///run/clamav/clamd.ctl"},
        {"REMOTE_PORTS": [1, 65_535]},
        {"BASE_URL": "http://[::1]:8001"},
        OIDC | {"OIDC_ISSUER": "https://id.example.com/realms/main/"},
        {"GATEWAY_USER_HEADER": "X-User-Id", "GATEWAY_ADDRESSES": ["10.0.0.1"]}
        | {"GATEWAY_GROUPS_HEADER": "X-User-Groups", "STAFF_GROUP": "operators"},
        OIDC | {"OIDC_GROUPS_CLAIM": "groups", "STAFF_GROUP": "operators"},
        {"OPERATOR_EMAILS": ["Olga <olga@example.com>"], "MAIL_IS_ON": True},
        {"REMOTE_ALLOWED_PRIVATE_HOSTS": ["localhost", "Bücher.example.", "::1", "fd00::/8"]},
    ],
)
def test_unusual_settings_are_not_reported(settings: Any, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)

    assert run_checks() == []


@pytest.mark.parametrize(("issuer", "is_refused"), [("http://a.b", True), ("https://a.b", False)])
def test_in_production_a_provider_needs_https(settings: Any, issuer: str, is_refused: bool) -> None:
    settings.PRODUCTION, settings.OIDC_ISSUER = True, issuer

    assert bool(check_oidc_issuer()) == is_refused


@pytest.mark.parametrize(
    "changes",
    [
        {"SECRET_KEY": "only-for-development-" + "x" * 32},
        {"SECRET_KEY": "django-insecure-#0pz&h3w"},
        {"STORAGES": s3_keys("minioadmin", "secret")},
        {"STORAGES": s3_keys("key", "minioadmin")},
        {"CELERY_BROKER_URL": "redis://:redis@redis:6379/0"},
        {"CACHE_URL": "redis://default:redi%73@redis:6379/1"},
    ],
)
def test_production_refuses_published_secrets(settings: Any, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)

    in_development = known_secrets.check_known_secrets()
    settings.PRODUCTION = True

    assert in_development == []
    (found,) = known_secrets.check_known_secrets()
    assert found.id == "jobs.E030"
    assert found.hint
    assert found.is_serious()


def test_the_refused_secrets_are_those_of_our_files() -> None:
    shown = (ROOT / ".env.example").read_text() + (ROOT / "docker-compose.yml").read_text()

    assert f"#SECRET_KEY={known_secrets.PUBLIC_SECRET_KEY}" in shown
    assert set(re.findall(r"S3_\w*KEY\w*:-(\w+)", shown)) == {known_secrets.PUBLIC_S3_KEY}
    passwords = set(re.findall(r"PASSWORD:-(\w+)", shown))
    assert passwords == set(known_secrets.PUBLIC_PASSWORDS.values())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:9000", ["jobs.E008"]),
        ("http://s3.localhost", ["jobs.E008"]),
        ("http://127.0.0.2:9000", ["jobs.E008"]),
        ("http://[::1]:9000", ["jobs.E008"]),
        ("http://0.0.0.0:9000", ["jobs.E008"]),
        ("http://minio:9000", ["jobs.W007"]),
        ("http://store.svc.cluster.local", ["jobs.W007"]),
        ("http://10.1.2.3", ["jobs.W007"]),
        ("http://169.254.1.1", ["jobs.W007"]),
        ("http://[fd00::1]:9000", ["jobs.W007"]),
        ("https://files.example.com", []),
        ("https://8.8.8.8", []),
    ],
)
def test_production_needs_a_public_store_address(
    settings: Any, url: str, expected: list[str]
) -> None:
    settings.S3_PUBLIC_ENDPOINT_URL = url

    in_development = run_checks()
    settings.PRODUCTION = True

    assert in_development == []
    assert ids(run_checks()) == expected


def test_checks_can_be_silenced(settings: Any) -> None:
    settings.CLAMD = "OFF"
    refused = preflight.preflight_contradictions()

    settings.SILENCED_SYSTEM_CHECKS = ["jobs.E019"]

    assert [sentence[:9] for sentence in refused] == ["jobs.E019"]
    assert preflight.preflight_contradictions() == []


bare_celery = Celery("bare", set_as_current=False)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nobody.wrote.app", "jobs.E042"),
        ("nobody", "jobs.E042"),
        ("tests.test_checks.bare_celery", "jobs.E043"),
    ],
)
def test_a_celery_app_that_cannot_run_jobs(settings: Any, path: str, expected: str) -> None:
    settings.CELERY_APP = path
    celery_app.cache_clear()

    found = run_checks()
    celery_app.cache_clear()

    assert ids(found) == [expected]
    assert "CELERY_APP" in str(found[0].hint) or "configure_celery" in str(found[0].hint)


@pytest.mark.parametrize(
    ("role", "command", "status"),
    [
        ("web", [BIN / "gunicorn", "-c", "python:downloads_project.gunicorn"], 3),
        ("worker", [BIN / "celery", "-A", "downloads_project", "worker", "--concurrency=1"], 1),
        ("dispatcher", [sys.executable, ROOT / "manage.py", "dispatcher"], 1),
        ("command", [sys.executable, ROOT / "manage.py", "migrate"], 1),
    ],
)
def test_a_process_refuses_to_start(
    tmp_path: Path, role: str, command: list[str | Path], status: int
) -> None:
    more = REFUSED | {"ROLE": role, "PORT": str(next(free_ports(str(tmp_path))))}

    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | more, capture_output=True, text=True, timeout=60
    )

    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert re.search(r"jobs\.E012\W+TRUSTED_PROXIES and TRUSTED_PROXY_HOPS are both set", said)
    assert "Traceback" not in said
    assert "Booting worker" not in said
    assert said.count("Remove TRUSTED_PROXY_HOPS") == 1


# Start a worker with a kernel that lacks the feature of its first argument.
WORKER = """
import sys
from tests.processing import kernels
kernels.lack(sys.argv[1])
from downloads_project.celery import app
app.worker_main(["worker", "--concurrency=1"])
"""
NO_LANDLOCK = (
    "This machine has no landlock: code in an uploaded file could read and change the files of"
    " other uploads."
)
NO_SECCOMP = (
    "This machine has no seccomp: code in an uploaded file could use the network and other"
    " processes."
)


@pytest.mark.parametrize(
    ("layer", "optional", "sentence"),
    [
        ("landlock", "", NO_LANDLOCK),
        ("seccomp", "", NO_SECCOMP),
        ("seccomp", "landlock", NO_SECCOMP),
    ],
)
def test_a_worker_in_production_does_not_start_with_an_open_sandbox(
    layer: str, optional: str, sentence: str
) -> None:
    command = [sys.executable, "-c", WORKER, layer]
    env = PRODUCTION | {"ROLE": "worker", "SANDBOX_OPTIONAL_LAYERS": optional}

    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | env,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1, done.stderr
    assert f"jobs.E024: {sentence} Run workers on" in done.stderr
    assert f"To run without: SANDBOX_OPTIONAL_LAYERS={layer}" in done.stderr


@pytest.mark.parametrize(
    "env",
    [
        {"ENV_FILES": ""},
        PRODUCTION | {"REDIS_URL": "redis://127.0.0.1:1", "SANDBOX_OPTIONAL_LAYERS": "landlock"},
    ],
    ids=["in development", "where that is set"],
)
def test_a_worker_without_a_layer_of_the_sandbox_logs_it(
    env: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, "landlock"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "ROLE": "worker", "REDIS_URL": "redis://127.0.0.1:1"}
            | env,
            stderr=out,
            stdout=out,
        )

    try:
        until(lambda: NO_LANDLOCK in log.read_text(), 60, log.read_text)
    finally:
        worker.kill()
        worker.wait()
    assert "jobs.W014" in log.read_text()
    assert "seccomp:" not in log.read_text()


def test_this_machine_closes_the_sandbox(settings: Any) -> None:
    """Or the tests of what it keeps off show nothing."""
    settings.ROLE = "worker"

    assert run_checks() == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"CORS_ALLOWED_ORIGINS": "https://app.example.com"}, "no issues"),
        ({"CORS_ALLOWED_ORIGINS": "*"}, "corsheaders.E013"),
        ({"SECRET_KEY": "short"}, "security.W009"),
        ({"TRUSTED_PROXIES": ""}, "jobs.W009"),
        ({"CLAMD": "off"}, "jobs.W010"),
        ({"DATABASE_URL": "postgresql://postgres:postgres@postgres/downloads"}, "jobs.E030"),
        ({"REDIS_URL": "redis://:redis@redis:6379/0"}, "jobs.E030"),
        ({"EMAIL_URL": "smtp+tls://me:secret@mail.example.com:587"}, "jobs.W012"),
        ({"BASE_URL": "downloads.example.com"}, "jobs.E020"),
        ({"CLAMD": "unix:///run/clamav/clamd.ctl"}, "no issues"),
        ({"TRUSTED_PROXIES": "", "TRUSTED_PROXY_HOPS": "1"}, "no issues"),
    ],
)
def test_a_deployment_that_is_set_up_as_the_readme_says_is_fine(
    changes: dict[str, str], told: str
) -> None:
    env = {"PATH": os.environ["PATH"]} | PRODUCTION | changes
    command = [sys.executable, "-W", "error", "manage.py", "check", "--deploy"]

    done = subprocess.run(
        [*command, "--fail-level", "DEBUG"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert told in done.stdout + done.stderr
    assert done.returncode == (0 if told == "no issues" else 1)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            PRODUCTION,
            (["owner:100/60", "address:1000/60"], "account-address:10/600", 100, 100 * 2**30),
        ),
        ({"ENV_FILES": ""}, (["owner:1000/60"], "account:1000/60", 10_000, 0)),
    ],
    ids=["production", "development"],
)
def test_limits_are_strict_in_production_and_loose_in_development(
    env: dict[str, str], expected: tuple[Any, ...]
) -> None:
    code = (
        "from downloads_project import settings as s;"
        "print((s.RATES['initiate'], s.RATES['sign-in'][0], s.MAX_ACTIVE_JOBS,"
        " s.OWNER_STORAGE_BYTES))"
    )

    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert told.strip() == repr(expected)
