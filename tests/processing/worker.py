"""A worker without capabilities: `python -m tests.processing.worker [missing kernel features]`.

It has secrets in its environment and memory. It reads lines of JSON, `{"source": …, "folder": …}`,
and writes a line for each: the text preview or the error. Its helper is compromised: see
misbehaving.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jobs.kinds.upload.previews import PreviewLimits, helper_process
from jobs.kinds.upload.previews.preview_maker import make_previews
from jobs.lib.process_memory import hide_process_memory
from tests.processing import kernels

helper_process.HELPER = "tests.processing.misbehaving"
LIMITS = PreviewLimits(cpu_seconds=10, wall_seconds=20)


def main(lacks: list[str]) -> None:
    kernels.drop_capabilities()
    for each in lacks:
        kernels.lack(each)
    hide_process_memory()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(made(**json.loads(line))), flush=True)


def made(source: str, folder: str) -> str:
    try:
        result = make_previews(
            Path(source), "application/pdf", Path(folder), limits=LIMITS, say=lambda message: None
        )
    except Exception as error:
        return f"{error!r}: {error.__cause__}"
    return result.previews[0].path.read_text()


if __name__ == "__main__":
    main(sys.argv[1:])
