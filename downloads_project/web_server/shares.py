"""A supply that many clients share, none of whom may take so much that others find nothing."""

from __future__ import annotations

from downloads_project.web_server.refusals import OVERLOADED, Refused

# A client may take more while it holds at most this many times what is free: alone, four fifths.
TIMES_WHAT_IS_FREE = 4


class Shares:
    """Units of something, as bytes or threads, by the client that holds them.

    For one thread: the event loop's.
    """

    def __init__(self, total: int) -> None:
        self.free = total
        self._held: dict[str, int] = {}

    def take(self, client: str, units: int) -> None:
        """Raise Refused (503) if there is not so much, or not for this client."""
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
