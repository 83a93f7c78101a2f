"""A good server in a process of its own: `python -m tests.hostile.fast PORT SIZE [RATE]`.

RATE is in bytes a second for each connection. The file is at /file; port 0 takes a free one. Its
first line of output says where it is, and comes once it answers.
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
