"""Make a virtual environment with the locked uv in it.

    python3 -m deploy.make_venv .venv

Needs nothing but the standard library. Debian keeps a part of it, ensurepip, in a package of its
own: that package is installed where nobody has to be asked, else one sentence asks for it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from deploy.debian import install

OLDEST = (3, 11)
DEBIANS_PACKAGE = "python3-venv"


def main(folder: str) -> None:
    if sys.version_info < OLDEST:
        sys.exit(f"Python {'.'.join(map(str, OLDEST))} or newer is needed; this is {sys.version}.")
    if importlib.util.find_spec("ensurepip") is None and not install(DEBIANS_PACKAGE):
        sys.exit(f"Python cannot make environments here: install Debian's {DEBIANS_PACKAGE} first.")
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    locked = Path("requirements/dev.txt").read_text().splitlines()
    uv = next(line.split()[0] for line in locked if line.startswith("uv=="))
    pip = [Path(folder, "bin", "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", uv], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
