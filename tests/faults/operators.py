"""The operators: a receiver of their webhook, and the messages about alerts that it got."""

from __future__ import annotations

import json
from typing import NamedTuple

from tests.notifications.receiver import Receiver


class Message(NamedTuple):
    type: str  # alert.firing or alert.resolved
    rule: str
    subject: str


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
        bodies = [json.loads(call.body) for call in list(self.calls)]
        return [
            Message(body["type"], body["data"]["rule"], body["data"]["subject"]) for body in bodies
        ]
