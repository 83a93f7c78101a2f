"""`make run`: it runs the sample job, serves, and leaves no process behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from downloads_project.local import discovery
from downloads_project.local.ports import free_ports
from downloads_project.local.stack import Stack
from downloads_project.processes import StackError
from tests.clamd import Clamd, cuts_in, pretender
from tests.live import ROOT, children, until

OF_THE_TESTS = [
    "DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL", "S3_BUCKET", "QUEUE", "ENV_FILES", "CLAMD",
    "EMAIL_URL",
]  # fmt: skip
NOBODY = "tcp://127.0.0.1:1"
COMMAND = [sys.executable, "-m", "downloads_project.local.run"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OF_THE_TESTS}
    return kept | {"STACK_FOLDER": str(folder), "ENV_FILES": str(folder / "env")} | more


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=180,
    )


def descendants(pid: int) -> list[int]:
    direct = children(pid)
    return direct + [further for child in direct for further in descendants(child)]


def is_running(pid: int) -> bool:
    """Return True unless it has ended, even as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may end between open and read
        return False


class Serving(NamedTuple):
    process: subprocess.Popen[bytes]
    log: Path


@pytest.fixture
def port(tmp_path: Path) -> str:
    return str(next(free_ports(str(tmp_path))))


@pytest.fixture
def serving(tmp_path: Path, port: str) -> Iterator[Serving]:
    """Start `make run`, and wait until it serves."""
    log = tmp_path / "run.log"
    with log.open("wb") as out:
        env = environment(tmp_path, PORT=port)
        process = subprocess.Popen(COMMAND, cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        until(lambda: "Serving until" in log.read_text(), 150, log.read_text)
        yield Serving(process, log)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def test_it_runs_the_sample_job_and_keeps_its_data(tmp_path: Path, port: str) -> None:
    first = run(tmp_path, "--once", PORT=port)
    again = run(tmp_path, "--once", PORT=port)

    for done in (first, again):
        assert done.returncode == 0, done.stdout + done.stderr
        assert "All 14 members have the SHA-256 of their sources\n" in done.stdout
        assert "Made in " in done.stderr
        assert ", SHA-256 verified" in done.stderr
        assert f"{tmp_path}/downloads/14 files.zip\n" in done.stdout
        assert "scanned for viruses" in done.stdout
    assert len(list((tmp_path / "downloads").iterdir())) == 1
    assert not (tmp_path / "run.json").exists(), "scripts would take it for running"
    env_file = (tmp_path / "env").read_text()
    assert "\nCLAMD=" in env_file, "manage.py would scan otherwise"
    assert f"\nEMAIL_URL=filemail:///{tmp_path}/mail\n" in env_file
    assert f"\nBASE_URL=http://127.0.0.1:{port}\n" in env_file


def test_no_process_is_left_if_the_supervisor_is_killed(serving: Serving) -> None:
    everything = descendants(serving.process.pid)
    assert len(everything) > 10
    for pid in everything:
        with suppress(PermissionError, FileNotFoundError, ProcessLookupError):
            assert b"OPERATOR_PASSWORD" not in Path(f"/proc/{pid}/environ").read_bytes()

    serving.process.kill()

    until(lambda: not any(map(is_running, everything)), 5)


def test_a_dead_process_is_restarted_and_ctrl_c_ends_all(serving: Serving) -> None:
    everything = descendants(serving.process.pid)
    dispatcher = next(
        pid for pid in everything if b"dispatcher" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )

    os.kill(dispatcher, signal.SIGKILL)
    until(lambda: "dispatcher ended" in serving.log.read_text(), 20)
    everything = descendants(serving.process.pid)
    serving.process.send_signal(signal.SIGINT)

    assert serving.process.wait(40) == 0
    assert not any(map(is_running, everything))


def test_a_taken_port_is_one_clear_message(tmp_path: Path, port: str) -> None:
    with socket.create_server(("127.0.0.1", int(port))):
        done = run(tmp_path, "--once", PORT=port)

    assert done.returncode == 1
    assert done.stderr.strip() == f"Port {port} is taken. Choose another: make run PORT=8001"


def test_contradicting_settings_are_reported_with_a_solution(tmp_path: Path, port: str) -> None:
    both = {"TRUSTED_PROXIES": "10.0.0.0/8", "TRUSTED_PROXY_HOPS": "1"}

    done = run(tmp_path, "--once", PORT=port, **both)

    assert done.returncode == 1
    assert "TRUSTED_PROXIES and TRUSTED_PROXY_HOPS are both set" in done.stderr
    assert "Remove TRUSTED_PROXY_HOPS" in done.stderr


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/x"),
        ("REDIS_URL", "redis://:secret@127.0.0.1:1/0"),
        ("S3_ENDPOINT_URL", "http://127.0.0.1:1"),
    ],
)
def test_an_unavailable_server_is_one_clear_message(
    tmp_path: Path, port: str, variable: str, url: str
) -> None:
    done = run(tmp_path, "--once", PORT=port, **{variable: url})

    assert done.returncode == 1
    sentence = f"\nThe server that {variable} names, 127.0.0.1, does not respond"
    assert done.stderr.startswith(sentence)
    assert "secret" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_running_virus_scanner_is_used(
    clamd: Clamd, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CLAMD")
    monkeypatch.setattr(discovery, "SCANNERS", [NOBODY, clamd.socket_address, clamd.address])

    found = discovery.discover_scanner()

    assert found == {"CLAMD": clamd.socket_address}
    assert capsys.readouterr().out == f"Uploads are scanned for viruses by {clamd.socket_address}\n"


def test_another_server_on_the_scanners_port_is_reported_and_not_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CLAMD")
    monkeypatch.setattr(discovery, "SCANNER_SECONDS", 0.1)

    with socket.create_server(("127.0.0.1", 0)) as silent, pretender(cuts_in(b"SSH-2.0")) as other:
        addresses = [f"tcp://127.0.0.1:{silent.getsockname()[1]}", other, NOBODY]
        monkeypatch.setattr(discovery, "SCANNERS", addresses)
        found = discovery.discover_scanner()

    assert found == {"CLAMD": "off"}
    assert capsys.readouterr().out.startswith("Uploads are not scanned for viruses: ")


def test_a_configured_virus_scanner_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLAMD", NOBODY)

    assert discovery.discover_scanner() == {}
    assert capsys.readouterr().out == ""


@pytest.fixture
def stacks(tmp_path: Path) -> Iterator[list[Stack]]:
    """Two stacks in one folder. The environment names their servers, so that they start none."""
    both = [Stack(tmp_path, durable=False), Stack(tmp_path, durable=False)]
    yield both
    for stack in both:
        stack.stop()


def test_a_full_disk_is_one_clear_message(
    stacks: list[Stack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5_000_000))

    with pytest.raises(StackError, match=r"The disk is nearly full: 5 MB are free in .*\."):
        stacks[0].start()


def test_two_stacks_do_not_share_a_folder(stacks: list[Stack]) -> None:
    stacks[0].start()

    with pytest.raises(StackError, match="Another stack is running"):
        stacks[1].start()
