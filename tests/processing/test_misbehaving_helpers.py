"""A compromised helper fails soon with a clear code, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from jobs.errors import FileTooComplex, Unexpected
from jobs.kinds.upload.previews import helper_process
from tests.processing.conftest import Process, left_behind

LIMITS = {"cpu_seconds": 1, "wall_seconds": 4, "file_bytes": 50 * 1024**2}
PDF = "application/pdf"
OUTCOME = b'{"made": [["text", "%s", "text/plain; charset=utf-8"]], "facts": {}}\n'


@pytest.fixture(autouse=True)
def compromised_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_process, "HELPER", "tests.processing.misbehaving")


@pytest.mark.parametrize(
    "action",
    [
        "allocates",
        "loops",
        "sleeps",
        "writes_one_file",
        "writes_many_files",
        "crashes",
        "is_killed",
        "makes_a_symlink",
        "makes_a_hard_link",
        "links_its_own_file",
        "makes_a_folder",
        "makes_a_pipe",
        "makes_nothing",
        "makes_a_web_page",
    ],
)
def test_each_fails_soon_as_too_complex(action: str, make: Process, folder: Path) -> None:
    began = time.monotonic()

    with pytest.raises(FileTooComplex) as caught:
        make(action.encode(), PDF, **LIMITS)

    assert str(folder) not in str(caught.value)
    assert time.monotonic() - began < 30  # not as long as they sleep
    assert not left_behind(folder)


@pytest.mark.parametrize("action", ["forks", "forks_and_keeps_the_pipe"])
def test_descendants_end_with_the_helper(action: str, make: Process, folder: Path) -> None:
    make(action.encode(), PDF, **LIMITS)

    assert not left_behind(folder)


READY = b'{"ready": true}\n'


@pytest.mark.parametrize(
    "message",
    [
        READY,
        READY + b"garbage\n",
        READY + b"\xff\xfe\x00\n",
        READY + b"[" * 10_000 + b"\n",
        READY + b'{"say": NaN}\n',
        READY + b'{"say": "two\\nlines"}\n',
        READY + b'{"say": "' + b"a" * 1_000 + b'"}\n',
        READY + b"a" * 100_000,
        READY + b'{"say": "Hello"}\n' * 100_000,
        READY + b'{"refused": "no_such_code", "sentence": "Oh."}\n',
        READY + b'{"made": [], "facts": {"width": Infinity}}\n',
        READY + b'{"made": [], "facts": {"width": 1e300}}\n',
        READY + b'{"made": [], "facts": {"width": [1]}}\n',
        READY + b'{"made": [], "facts": {"owner": 1}}\n',
        READY + b'{"made": [], "facts": {"skippedCode": "no_such_code"}}\n',
        READY + b'{"made": [["text", "a"]], "facts": {}}\n',
        READY + b'{"made": [["clip", "a", "video/mp4"]], "facts": {}}\n',
        READY + b'{"made": [], "facts": {}}\n' * 2,
        READY + OUTCOME % b"../uploaded",
        READY + OUTCOME % b"/etc/passwd",
        READY + OUTCOME % b".",
        READY + OUTCOME % b"..",
        READY + OUTCOME % b"a\\u0000",
        READY + OUTCOME % b"",
    ],
)
def test_messages_are_validated(message: bytes, make: Process, folder: Path) -> None:
    with pytest.raises(FileTooComplex):
        make(f"says:{message!r}".encode(), PDF, **LIMITS)

    assert not left_behind(folder)


def test_valid_messages_are_accepted(make: Process, folder: Path) -> None:
    result = make(b"makes_a_copy", PDF, **LIMITS)

    assert result.previews[0].path == folder / "text.txt"
    assert result.facts == {"pages": 1}


def test_a_helper_that_cannot_start_is_retryable(make: Process) -> None:
    with pytest.raises(Unexpected) as caught:
        make(b"cannot start", PDF, **LIMITS)

    assert caught.value.retryable
    assert "no such library" in str(caught.value.__cause__)  # for operators


def test_the_helper_has_its_own_network_namespace(make: Process) -> None:
    may_not = subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True).returncode
    if may_not:
        pytest.skip("this machine forbids user namespaces")

    result = make(b"reports_its_environment", PDF, **LIMITS)

    report = eval(result.previews[0].path.read_text())
    assert report["network"] != os.readlink("/proc/self/ns/net")


def test_the_helper_has_no_secrets_and_no_capabilities(
    make: Process, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "secret")

    result = make(b"reports_its_environment", PDF, **LIMITS)

    report = eval(result.previews[0].path.read_text())
    assert set(report["environment"]) <= {
        "PATH",
        "PYTHONPATH",
        "LANG",
        "LC_CTYPE",
        "HOME",
        "TMPDIR",
    }
    assert report["environment"]["HOME"] == report["environment"]["TMPDIR"] == str(folder)
    assert [line.split()[1] for line in report["rights"]] == ["0" * 16] * 3
