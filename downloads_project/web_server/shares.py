"""A limited resource shared fairly: no client can take so much that others get nothing."""

from __future__ import annotations

from downloads_project.web_server.refusals import OVERLOADED, Refused

# A client may take more while it holds at most this many times the free units: alone, 4/5.
TIMES_WHAT_IS_FREE = 4


class Shares:
    """Units of a resource, such as bytes or threads, by the client that holds them.

    For one thread: the event loop's.
    """

    def __init__(self, total: int) -> None:
        self.free = total
        self._held: dict[str, int] = {}

    def take(self, client: str, units: int) -> None:
        """Take units. Raises Refused (503) if too few are free for this client."""
        held = self._held.get(client, 0)
        if units > self.free or held > TIMES_WHAT_IS_FREE * self.free:
            raise Refused(OVERLOADED)
        self.free -= units
        self._held[client] = held + units

    def give_back(self, client: str, units: int) -> None:
        self.free += units
        self._held[client] -= units
        if not self._held[client]:
            del self._held[client]
