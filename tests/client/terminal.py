"""Runs `manage.py download` in a script, or in a pseudo-terminal whose screen can be read."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, str(ROOT / "manage.py"), "download"]
ROWS = 24


def environment(**more: str) -> dict[str, str]:
    """Return the environment without the variables of the developer's terminal."""
    terminals = ("TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")
    kept = {name: value for name, value in os.environ.items() if name not in terminals}
    return kept | {"TERM": "xterm-256color"} | more


def run(*arguments: str, stdin: str | None = None, **options: Any) -> Any:
    """Run the command with pipes, and wait until it ends."""
    options = {"env": environment(), "timeout": 60, "text": True} | options
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, **given, **options)


@contextmanager
def start(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start the command in the background, with default handlers of SIGINT and SIGHUP."""
    options = {"env": environment(), "stdin": subprocess.DEVNULL} | options
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_open_to_signals,
        **options,
    )
    with process:
        try:
            yield process
            process.wait(30)
        finally:
            process.kill()


def _open_to_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    """The command in a pseudo-terminal. `screen` is the text that it displays."""

    def __init__(self, *arguments: str, columns: int = 80, cwd: Path, **env: str) -> None:
        self._fd, inner = os.openpty()
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        self._screen = Screen(columns)
        self.raw = ""

        def own_terminal() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=cwd,
            env=environment(**env),
            preexec_fn=own_terminal,
        )
        os.close(inner)

    @property
    def screen(self) -> str:
        return self._screen.text()

    @property
    def cursor_is_hidden(self) -> bool:
        return self._screen.cursor_is_hidden

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def ctrl_c(self) -> None:
        self.type("\x03")

    def wait_for(self, pattern: str, seconds: float = 30) -> str:
        """Wait until the screen matches the pattern, and return it."""
        ends = time.monotonic() + seconds
        while not re.search(pattern, self.screen):
            goes_on = self._read() and time.monotonic() < ends
            assert goes_on, f"no {pattern!r} in\n{self.screen}"
        return self.screen

    def end(self, seconds: float = 30) -> int:
        """Wait until the command ends, and return its exit code."""
        ends = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < ends, self.screen
        return self.process.wait(10)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        os.close(self._fd)

    def _read(self) -> bool:
        """Read some output. Returns False at its end."""
        if not select.select([self._fd], [], [], 0.1)[0]:
            return True
        try:
            text = os.read(self._fd, 65536).decode(errors="replace")
        except OSError:  # Linux reports the closed other side this way
            return False
        self.raw += text
        self._screen.feed(text)
        return bool(text)


class Screen:
    """A minimal terminal emulator: wraps lines, moves the cursor up, and erases lines."""

    PIECE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]")

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines = [""]
        self.cursor_is_hidden = False
        self._row = self._column = 0
        self._rest = ""

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines).rstrip()

    def feed(self, text: str) -> None:
        text = self._rest + text
        cut = re.search(r"\x1b(\[[?0-9;]*)?$", text)
        self._rest = cut[0] if cut else ""
        for piece in self.PIECE.finditer(text.removesuffix(self._rest)):
            self._take(piece)

    def _take(self, piece: re.Match[str]) -> None:
        number, letter = piece[1], piece[2]
        if letter == "A":
            self._row = max(self._row - int(number or 1), 0)
        elif letter == "K":
            self.lines[self._row] = ""
        elif letter in ("h", "l") and number == "?25":
            self.cursor_is_hidden = letter == "l"
        elif piece[0] == "\r":
            self._column = 0
        elif piece[0] == "\n":
            self._down()
        elif not letter:
            self._write(piece[0])

    def _down(self) -> None:
        self._row += 1
        self._column = 0 if self._row == len(self.lines) else self._column
        if self._row == len(self.lines):
            self.lines.append("")

    def _write(self, letter: str) -> None:
        if self._column == self.columns:
            self._column = 0
            self._down()
        line = self.lines[self._row].ljust(self._column)
        self.lines[self._row] = line[: self._column] + letter + line[self._column + 1 :]
        self._column += 1
