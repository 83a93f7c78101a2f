"""A correct server in a process of its own: `python -m tests.hostile.fast PORT SIZE [RATE]`.

RATE is in bytes per second for each connection. The file is at /file; port 0 chooses a free one.
Prints the address once it accepts connections.
"""

from __future__ import annotations

import sys
import threading

from tests.hostile.content import File
from tests.hostile.server import Peer


def main(port: str, size: str, rate: str | None = None) -> None:
    file = File(size=int(size), rate=float(rate) if rate else None)
    with Peer(port=int(port)) as peer:
        print(peer.serve("/file", file), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
