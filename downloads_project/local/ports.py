"""Free ports of the loopback interface."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

from downloads_project.processes import StackError


def free_ports(seed: str) -> Iterator[int]:
    """Yield free loopback ports below those that the kernel assigns; the same for a seed."""
    chance = random.Random(seed)
    for _ in range(10_000):
        port = chance.randrange(20_000, 32_000)
        if is_free(port) and remove_port_sockets(port):
            yield port
    raise StackError("No free port was found between 20000 and 32000.")


def is_free(port: int) -> bool:
    """Return True if a server could listen on this port of the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def remove_port_sockets(port: int) -> bool:
    """Remove sockets that SeaweedFS left behind. Return False if they belong to another user."""
    try:
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            path.unlink()
    except PermissionError:
        return False
    return True
