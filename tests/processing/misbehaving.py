"""A compromised helper process: it runs the function that the uploaded file names.

It replaces `jobs.kinds.upload.previews.helper`, in the same sandbox.
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
from jobs.kinds.upload.previews.preview_result import CreatedPreview, PreviewResult, Work
from tests.processing.attacks import ATTACKS

GIGABYTE = 1024**3


def text_of(path: Path) -> PreviewResult:
    return PreviewResult((CreatedPreview("text", path, "text/plain; charset=utf-8"),), {})


def allocates(work: Work) -> PreviewResult:
    bytearray(10 * GIGABYTE)
    return PreviewResult((), {})


def loops(work: Work) -> PreviewResult:
    while True:
        pass


def sleeps(work: Work) -> PreviewResult:
    time.sleep(600)
    return PreviewResult((), {})


def writes_one_file(work: Work) -> PreviewResult:
    with (work.folder / "large").open("wb") as file:
        while True:
            file.write(bytes(1024 * 1024))


def writes_many_files(work: Work) -> PreviewResult:
    for number in range(10_000):
        deep = work.folder / str(number)
        deep.mkdir()
        (deep / "large").write_bytes(bytes(1024 * 1024))
    return PreviewResult((), {})


def crashes(work: Work) -> PreviewResult:
    ctypes.string_at(0)
    return PreviewResult((), {})


def is_killed(work: Work) -> PreviewResult:
    os.kill(os.getpid(), signal.SIGKILL)
    return PreviewResult((), {})


def forks(work: Work) -> PreviewResult:
    for _ in range(30):
        subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL)
    return PreviewResult((), {})


def forks_and_keeps_the_pipe(work: Work) -> PreviewResult:
    for pipe in range(3, 20):
        if Path(f"/proc/self/fd/{pipe}").exists():
            os.set_inheritable(pipe, True)
    subprocess.Popen(["sleep", "600"], close_fds=False)
    return PreviewResult((), {})


def makes_a_copy(work: Work) -> PreviewResult:
    path = work.folder / "text.txt"
    path.write_bytes(b"a text")
    return PreviewResult((CreatedPreview("text", path, "text/plain; charset=utf-8"),), {"pages": 1})


def makes_a_symlink(work: Work) -> PreviewResult:
    (work.folder / "text.txt").symlink_to("/etc/passwd")
    return PreviewResult(
        (CreatedPreview("text", work.folder / "text.txt", "text/plain; charset=utf-8"),), {}
    )


def makes_a_hard_link(work: Work) -> PreviewResult:
    (work.folder / "text.txt").hardlink_to(work.source)
    return PreviewResult(
        (CreatedPreview("text", work.folder / "text.txt", "text/plain; charset=utf-8"),), {}
    )


def makes_a_pipe(work: Work) -> PreviewResult:
    os.mkfifo(work.folder / "text.txt")
    return PreviewResult(
        (CreatedPreview("text", work.folder / "text.txt", "text/plain; charset=utf-8"),), {}
    )


def makes_nothing(work: Work) -> PreviewResult:
    return text_of(work.folder / "no")


def makes_a_web_page(work: Work) -> PreviewResult:
    (work.folder / "text.html").write_text("<script>")
    return PreviewResult((CreatedPreview("text", work.folder / "text.html", "text/html"),), {})


def links_its_own_file(work: Work) -> PreviewResult:
    (work.folder / "one").write_text("a text")
    (work.folder / "text.txt").hardlink_to(work.folder / "one")
    return PreviewResult(
        (CreatedPreview("text", work.folder / "text.txt", "text/plain; charset=utf-8"),), {}
    )


def makes_a_folder(work: Work) -> PreviewResult:
    (work.folder / "text.txt").mkdir()
    return PreviewResult(
        (CreatedPreview("text", work.folder / "text.txt", "text/plain; charset=utf-8"),), {}
    )


def reports_its_environment(work: Work) -> PreviewResult:
    rights = [line for line in Path("/proc/self/status").read_text().splitlines() if "Cap" in line]
    report = {"environment": dict(os.environ), "rights": rights[:3]}
    return _report(work, repr(report | {"network": os.readlink("/proc/self/ns/net")}))


def attacks(work: Work) -> PreviewResult:
    """Run the attack of the second line with the argument of the third, and report the result."""
    _, name, argument = work.source.read_text().split("\n")
    try:
        return _report(work, f"did it: {ATTACKS[name](argument)!r}")
    except OSError as error:
        return _report(work, f"refused: {errno.errorcode[error.errno or 0]}")


def leaves_a_daemon_and_sleeps(work: Work) -> PreviewResult:
    ATTACKS["leaves_a_daemon"](work.source.read_text().split("\n")[2])
    return sleeps(work)


def _report(work: Work, text: str) -> PreviewResult:
    path = work.folder / "text.txt"
    path.write_text(text)
    return PreviewResult((CreatedPreview("text", path, "text/plain; charset=utf-8"),), {"pages": 1})


def main() -> None:
    source = Path(helper.HelperTask.from_json(sys.argv[1]).source)
    deed = source.read_text().partition("\n")[0]
    if deed.startswith("says:"):  # sent in place of a helper's messages
        os.write(1, eval(deed.removeprefix("says:")))
        return
    if deed == "cannot start":
        raise ImportError("no such library")
    helper.helper_main(globals()[deed])


if __name__ == "__main__":
    main()
