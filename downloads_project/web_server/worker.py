"""gunicorn's asgi worker, with the connections of http_connection.py."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.arbiter import Arbiter
from gunicorn.asgi.lifespan import LifespanManager
from gunicorn.workers.gasgi import ASGIWorker

if TYPE_CHECKING:
    from downloads_project.web_server.connections import Connections

# Connections accepted in one iteration of the loop: other processes get their share of a burst.
ACCEPTED_AT_ONCE = 4
SWITCH_SECONDS = 0.0005  # that a thread has before the loop gets its turn; Python's own are 0.005
SWEEP_SECONDS = 0.5  # between two looks for connections whose time is over
ALLOCATIONS = 50_000  # between two searches for garbage
UNSENT_BYTES = 64 * 1024  # in the kernel, of one connection
OTHER_FILES = 64  # beside connections and two of each thread: servers, logs, modules


class WebWorker(ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves downloads_project.asgi until it is stopped."""

    connections: Connections

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Skip the warning about `threads`: they are those of the bridge."""

    def init_process(self) -> None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        sys.setswitchinterval(SWITCH_SECONDS)
        self._told_to_stop = asyncio.Event()
        super().init_process()

    def handle_exit_signal(self) -> None:
        super().handle_exit_signal()
        self._told_to_stop.set()

    def handle_quit_signal(self) -> None:
        super().handle_quit_signal()
        self._told_to_stop.set()

    async def _serve(self) -> None:
        self.connections = self._connections()
        lifespan = LifespanManager(self.asgi, self.log, self.connections.state)
        try:
            await lifespan.startup()
        except RuntimeError as error:
            self.log.critical("The application did not start: %s", error)
            raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from error
        gc.collect()
        gc.freeze()  # what is loaded by now stays
        gc.set_threshold(ALLOCATIONS, 20, 50)
        for listener in self.sockets:
            server = await self.loop.create_server(
                partial(_connection_class(), self.connections),
                sock=listener.sock,
                backlog=ACCEPTED_AT_ONCE,
            )
            # Otherwise the kernel buffers megabytes for a client that does not read.
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
            listener.sock.listen(self.cfg.backlog)  # how many may wait, which is another number
            self.servers.append(server)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            self.connections.sweep()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told_to_stop.wait(), SWEEP_SECONDS)
        await self._stop()
        if not self._quick_shutdown:
            await lifespan.shutdown()

    def _connections(self) -> Connections:
        # Not at the top: gunicorn's main process would load it, and never reload it.
        from downloads_project.web_server.connections import Connections

        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = self.cfg.worker_connections
        if files != resource.RLIM_INFINITY:
            most = min(most, files - OTHER_FILES - 2 * self.cfg.threads)
        return Connections(self.asgi, self.loop, self.cfg, self.log, most=most)

    async def _stop(self) -> None:
        """Stop accepting, and wait for requests in progress."""
        for server in self.servers:
            server.close()
        self.connections.stop()
        deadline = self.loop.time() + self.cfg.graceful_timeout
        while self.connections.count and self.loop.time() < deadline and not self._quick_shutdown:
            self.notify()
            self.connections.sweep()
            await asyncio.sleep(0.05)


def _connection_class() -> Any:
    from downloads_project.web_server.http_connection import HttpConnection

    return HttpConnection
