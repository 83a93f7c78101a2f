"""A helper process that was taken over: it does what the uploaded file says, a function's name.

It runs in place of `jobs.kinds.upload.previews.helper`, in the same sandbox.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from jobs.kinds.upload.previews import helper
from jobs.kinds.upload.previews.outcome import Made, Outcome, Work
from tests.processing.attacks import ATTACKS

GIGABYTE = 1024**3


def allocates(work: Work) -> Outcome:
    bytearray(10 * GIGABYTE)
    return Outcome((), {})


def spins(work: Work) -> Outcome:
    while True:
        pass


def sleeps(work: Work) -> Outcome:
    time.sleep(600)
    return Outcome((), {})


def writes_one_file(work: Work) -> Outcome:
    with (work.folder / "large").open("wb") as file:
        while True:
            file.write(bytes(1024 * 1024))


def writes_many_files(work: Work) -> Outcome:
    for number in range(10_000):
        deep = work.folder / str(number)
        deep.mkdir()
        (deep / "large").write_bytes(bytes(1024 * 1024))
    return Outcome((), {})


def crashes(work: Work) -> Outcome:
    ctypes.string_at(0)
    return Outcome((), {})


def is_killed(work: Work) -> Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    return Outcome((), {})


def forks(work: Work) -> Outcome:
    for _ in range(30):
        subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL)
    return Outcome((), {})


def forks_and_keeps_the_pipe(work: Work) -> Outcome:
    for pipe in range(3, 20):
        if Path(f"/proc/self/fd/{pipe}").exists():
            os.set_inheritable(pipe, True)
    subprocess.Popen(["sleep", "600"], close_fds=False)
    return Outcome((), {})


def makes_a_copy(work: Work) -> Outcome:
    path = work.folder / "text.txt"
    path.write_bytes(b"a text")
    return Outcome((Made("text", path, "text/plain; charset=utf-8"),), {"pages": 1})


def points_elsewhere(work: Work) -> Outcome:
    (work.folder / "text.txt").symlink_to("/etc/passwd")
    return Outcome((Made("text", work.folder / "text.txt", "text/plain; charset=utf-8"),), {})


def links_elsewhere(work: Work) -> Outcome:
    (work.folder / "text.txt").hardlink_to(work.source)
    return Outcome((Made("text", work.folder / "text.txt", "text/plain; charset=utf-8"),), {})


def makes_a_pipe(work: Work) -> Outcome:
    os.mkfifo(work.folder / "text.txt")
    return Outcome((Made("text", work.folder / "text.txt", "text/plain; charset=utf-8"),), {})


def makes_nothing(work: Work) -> Outcome:
    return Outcome((Made("text", work.folder / "no", "text/plain; charset=utf-8"),), {})


def makes_a_web_page(work: Work) -> Outcome:
    (work.folder / "text.html").write_text("<script>")
    return Outcome((Made("text", work.folder / "text.html", "text/html"),), {})


def links_its_own(work: Work) -> Outcome:
    (work.folder / "one").write_text("a text")
    (work.folder / "text.txt").hardlink_to(work.folder / "one")
    return Outcome((Made("text", work.folder / "text.txt", "text/plain; charset=utf-8"),), {})


def makes_a_folder(work: Work) -> Outcome:
    (work.folder / "text.txt").mkdir()
    return Outcome((Made("text", work.folder / "text.txt", "text/plain; charset=utf-8"),), {})


def tells_its_environment(work: Work) -> Outcome:
    rights = [line for line in Path("/proc/self/status").read_text().splitlines() if "Cap" in line]
    told = {"environment": dict(os.environ), "rights": rights[:3]}
    return _report(work, repr(told | {"network": os.readlink("/proc/self/ns/net")}))


def attacks(work: Work) -> Outcome:
    """Does what the second line says, with what the third has, and reports how that went."""
    _, name, argument = work.source.read_text().split("\n")
    try:
        return _report(work, f"did it: {ATTACKS[name](argument)!r}")
    except OSError as error:
        return _report(work, f"refused: {errno.errorcode[error.errno or 0]}")


def leaves_a_daemon_and_sleeps(work: Work) -> Outcome:
    ATTACKS["leaves_a_daemon"](work.source.read_text().split("\n")[2])
    return sleeps(work)


def _report(work: Work, text: str) -> Outcome:
    path = work.folder / "text.txt"
    path.write_text(text)
    return Outcome((Made("text", path, "text/plain; charset=utf-8"),), {"pages": 1})


def main() -> None:
    source = Path(helper.Task.read(sys.argv[1]).source)
    deed = source.read_text().partition("\n")[0]
    if deed.startswith("says:"):  # instead of anything a helper says
        os.write(1, eval(deed.removeprefix("says:")))
        return
    if deed == "cannot start":
        raise ImportError("no such library")
    helper.main(globals()[deed])


if __name__ == "__main__":
    main()
