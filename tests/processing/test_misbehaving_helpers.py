"""Whatever a helper does that a hostile file took over: a clear code, soon, and nothing is left."""

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
def taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_process, "HELPER", "tests.processing.misbehaving")


@pytest.mark.parametrize(
    "deed",
    [
        "allocates",
        "spins",
        "sleeps",
        "writes_one_file",
        "writes_many_files",
        "crashes",
        "is_killed",
        "points_elsewhere",
        "links_elsewhere",
        "links_its_own",
        "makes_a_folder",
        "makes_a_pipe",
        "makes_nothing",
        "makes_a_web_page",
    ],
)
def test_each_fails_soon_as_too_complex(deed: str, make: Process, folder: Path) -> None:
    began = time.monotonic()

    with pytest.raises(FileTooComplex) as caught:
        make(deed.encode(), PDF, **LIMITS)

    assert str(folder) not in str(caught.value)
    assert time.monotonic() - began < 30  # and not as long as they sleep
    assert not left_behind(folder)


@pytest.mark.parametrize("deed", ["forks", "forks_and_keeps_the_pipe"])
def test_its_descendants_end_with_it(deed: str, make: Process, folder: Path) -> None:
    make(deed.encode(), PDF, **LIMITS)

    assert not left_behind(folder)


READY = b'{"ready": true}\n'


@pytest.mark.parametrize(
    "saying",
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
def test_its_messages_are_validated(saying: bytes, make: Process, folder: Path) -> None:
    with pytest.raises(FileTooComplex):
        make(f"says:{saying!r}".encode(), PDF, **LIMITS)

    assert not left_behind(folder)


def test_valid_messages_are_accepted(make: Process, folder: Path) -> None:
    result = make(b"makes_a_copy", PDF, **LIMITS)

    assert result.previews[0].path == folder / "text.txt"
    assert result.facts == {"pages": 1}


def test_a_helper_that_cannot_start_is_not_the_files_fault(make: Process) -> None:
    with pytest.raises(Unexpected) as caught:
        make(b"cannot start", PDF, **LIMITS)

    assert caught.value.retryable
    assert "no such library" in str(caught.value.__cause__)  # for operators


def test_it_has_a_network_of_its_own_where_the_kernel_allows_it(make: Process) -> None:
    may_not = subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True).returncode
    if may_not:
        pytest.skip("this machine forbids namespaces of one's own")

    result = make(b"reports_its_environment", PDF, **LIMITS)

    report = eval(result.previews[0].path.read_text())
    assert report["network"] != os.readlink("/proc/self/ns/net")


def test_it_has_no_secrets_and_no_capabilities(
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
