"""The operators: a receiver of their webhook, and the messages about alerts that it got."""

from __future__ import annotations

import json
from typing import NamedTuple

from tests.notifications.receiver import Receiver

FIRING_TYPE, RESOLVED_TYPE = "alert.firing", "alert.resolved"


class Message(NamedTuple):
    type: str  # FIRING_TYPE or RESOLVED_TYPE
    alert: str  # its rule and subject
    at: float  # on the monotonic clock


class Operators(Receiver):
    """Set `env` for the processes of a service, so that it sends alerts to this receiver."""

    @property
    def env(self) -> dict[str, str]:
        return {
            "OPERATOR_WEBHOOK": f"http://127.0.0.1:{self.port}/alerts",
            "REMOTE_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
            "REMOTE_PORTS": f"80,443,8080,8443,{self.port}",
        }

    @property
    def messages(self) -> list[Message]:
        """Return the messages in the order of their arrival."""
        return [_message(json.loads(call.body), call.at) for call in list(self.calls)]

    def wait_for(
        self, kind: str, alerts: set[str], since: float, seconds: float
    ) -> dict[str, float]:
        """Return after how many seconds each alert fired or was resolved.

        Fails if there was a message about another alert, or two about one.
        """
        from tests.live import until  # needs Django's settings

        until(lambda: alerts <= {each.alert for each in self._of(kind)}, seconds, self._text)
        found = self._of(kind)
        assert sorted(each.alert for each in found) == sorted(alerts), self._text()
        return {each.alert: each.at - since for each in found}

    def _of(self, kind: str) -> list[Message]:
        return [each for each in self.messages if each.type == kind]

    def _text(self) -> str:
        return "\n".join(f"{each.type} {each.alert}" for each in self.messages)


def _message(body: dict[str, dict[str, str]], at: float) -> Message:
    alert = f"{body['data']['rule']} {body['data']['subject']}".strip()
    return Message(str(body["type"]), alert, at)
