"""`make steady MINUTES=60`: steady load without faults, during which no alert may fire.

Production's clocks apply. One job in 25 fails for good, as some always do. The exit status is 0 if
nothing was lost, as after `make soak`, and the operators got no message.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tests.faults import standalone
from tests.faults.clients import NORMAL_REQUESTS
from tests.faults.operators import Operators
from tests.faults.soak import JOBS_A_SECOND, Soak

if TYPE_CHECKING:
    from tests.faults.rig import Rig

SHOWN_EVERY_SECONDS = 60.0


class SteadyLoad(Soak):
    choices = NORMAL_REQUESTS

    def __init__(self, rig: Rig, operators: Operators) -> None:
        super().__init__(rig)
        self.operators = operators
        rig.use_production_clocks()
        rig.env |= operators.env

    def _plan(self) -> str:
        return f"{JOBS_A_SECOND:g} jobs a second, without faults"

    def _break_and_mend(self) -> None:
        """Break nothing; show how it goes on."""
        ends = time.monotonic() + SHOWN_EVERY_SECONDS
        while time.monotonic() < ends and self._is_loading():
            time.sleep(0.5)
        self._show(f"messages to operators: {len(self.operators.messages)}")

    def _judge(self) -> int:
        from jobs.models import Alert

        status = super()._judge()
        print(f"{'minutes':24}{self._seconds() / 60:6.1f}")
        print(f"{'messages to operators':24}{len(self.operators.messages):6}")
        for message in self.operators.messages:
            print(message.type, message.alert)
        for alert in Alert.objects.filter(notified_at=None):  # held for less than the rule's time
            print(f"held, but did not fire: {alert} from {alert.since} to {alert.seen_at}")
        return status or int(bool(self.operators.messages))


def main(rig: Rig) -> int:
    with Operators() as operators:
        return SteadyLoad(rig, operators).run()


if __name__ == "__main__":
    sys.exit(standalone.run(main))
