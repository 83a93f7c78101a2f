"""A TCP proxy between the service and one of its servers that breaks connections on command.

Fault tests connect the service to `Proxy.port`. The kernel acknowledges data sent over a frozen or
lost connection: keepalives do not detect it, only the program's own timeouts do.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from tests.faults.line import Line
from tests.faults.rules import Cut, Errors, Rules, Shared, Side


class Proxy:
    """Commands apply to open and new connections, and add up until pass_on()."""

    def __init__(self, target_port: int, *, port: int = 0, target_host: str = "127.0.0.1") -> None:
        self._shared = Shared((target_host, target_port))
        self._lines: dict[Line, asyncio.Task[None]] = {}
        # Bound but not listening: keeps the port reserved while connections are refused.
        self._holder = bound(port)
        self.port: int = self._holder.getsockname()[1]
        self._listener: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.pass_on()

    def pass_on(self) -> None:
        self._change(lambda rules: Rules())

    def refuse(self) -> None:
        self._change(lambda rules: replace(rules, listening=False))
        self.reset()

    def freeze(self) -> None:
        """Accept connections and hold all data until pass_on()."""
        self._change(lambda rules: replace(rules, listening=True, frozen=True, losing=False))

    def blackhole(self) -> None:
        """Drop the data of all open and new connections, even after pass_on().

        These connections end only with reset(), refuse() or close().
        """
        self._change(lambda rules: replace(rules, listening=True, frozen=False, losing=True))

    def reset(self) -> None:
        """Reset the connections that are open now."""
        self._ask(self._end_lines)

    def delay(self, seconds: float) -> None:
        self._change(lambda rules: replace(rules, delay_seconds=seconds))

    def throttle(self, bytes_per_second: float) -> None:
        """Limit the rate of each connection and direction."""
        self._change(lambda rules: replace(rules, bytes_per_second=bytes_per_second))

    def cut_after(self, n_bytes: int, towards: Side = "server", times: int = 1) -> None:
        """Reset the next `times` connections after so many bytes in that direction."""
        self._change(lambda rules: replace(rules, cut=Cut(n_bytes, towards, times)))

    def answer_errors(
        self, share: float, seed: int, status: int = 503, code: str = "SlowDown"
    ) -> None:
        """Answer this share of the requests with an S3 error, and close their connections."""
        errors = Errors(share, random.Random(seed), status, code)
        self._change(lambda rules: replace(rules, errors=errors))

    @property
    def connections(self) -> int:
        return self._count("connections")

    @property
    def bytes_to_server(self) -> int:
        return self._count("bytes_to_server")

    @property
    def bytes_to_client(self) -> int:
        return self._count("bytes_to_client")

    @property
    def errors_answered(self) -> int:
        return self._count("errors_answered")

    def close(self) -> None:
        """Reset all connections. Idempotent."""
        if not self._loop.is_closed():
            self.refuse()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._holder.close()

    def _count(self, name: str) -> int:
        if self._loop.is_closed():
            return self._shared.counts[name]
        # Read in the loop, where a piece that was sent has been counted as well.
        return int(self._ask(self._counted, name))

    def _change(self, change: Callable[[Rules], Rules]) -> None:
        self._ask(self._obey, change)

    def _ask(self, do: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(do(*args), self._loop).result(30)

    # Everything below runs in the loop's thread.

    async def _counted(self, name: str) -> int:
        self._accept()
        return self._shared.counts[name]

    async def _obey(self, change: Callable[[Rules], Rules]) -> None:
        self._accept()  # a connection made before the command counts as open
        self._shared.rules = change(self._shared.rules)
        if self._shared.rules.listening and not self._listener:
            self._listener = bound(self.port)
            self._listener.listen(1024)
            self._loop.add_reader(self._listener, self._accept)
        elif self._listener and not self._shared.rules.listening:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for line in self._lines:
            line.lost |= self._shared.rules.losing
        self._shared.changed.set()
        self._shared.changed = asyncio.Event()

    async def _end_lines(self) -> None:
        self._accept()
        tasks = list(self._lines.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while self._listener:
                line = Line(self._shared, self._listener.accept()[0])
                self._shared.counts["connections"] += 1
                self._lines[line] = task = self._loop.create_task(line.carry())
                # Not at the end of carry(): a task that is cancelled at once never runs.
                task.add_done_callback(partial(self._end, line))

    def _end(self, line: Line, task: asyncio.Task[None]) -> None:
        del self._lines[line]
        line.close()


def bound(port: int) -> socket.socket:
    """Return a bound loopback socket that does not listen yet; 0 is any free port."""
    end = socket.socket()
    try:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        end.bind(("127.0.0.1", port))
    except OSError:
        end.close()
        raise
    return end
