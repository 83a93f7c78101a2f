"""Create a virtual environment with the locked version of uv.

    python3 -m deploy.make_venv .venv

Needs only the standard library. Debian has a part of it, ensurepip, in a separate package, which is
installed if no prompt is needed; otherwise an error message names it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from deploy.debian import install

MIN_VERSION = (3, 11)
DEBIAN_PACKAGE = "python3-venv"


def main(folder: str) -> None:
    if sys.version_info < MIN_VERSION:
        sys.exit(
            f"Python {'.'.join(map(str, MIN_VERSION))} or newer is needed; this is {sys.version}."
        )
    if importlib.util.find_spec("ensurepip") is None and not install(DEBIAN_PACKAGE):
        sys.exit(f"Python cannot create environments: install Debian's {DEBIAN_PACKAGE} first.")
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    locked = Path("requirements/dev.txt").read_text().splitlines()
    uv = next(line.split()[0] for line in locked if line.startswith("uv=="))
    pip = [Path(folder, "bin", "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", uv], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
