"""Make a virtual environment with the locked uv in it.

    python3 deploy/make_venv.py .venv

Needs nothing but the standard library. Debian keeps a part of it, ensurepip, in a package of its
own: as root that package is installed, else one sentence asks for it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
DEBIANS_PACKAGE = "python3-venv"


def main(folder: str) -> None:
    if sys.version_info < OLDEST:
        sys.exit(f"Python {'.'.join(map(str, OLDEST))} or newer is needed; this is {sys.version}.")
    if importlib.util.find_spec("ensurepip") is None:
        install_ensurepip()
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    locked = Path("requirements/dev.txt").read_text().splitlines()
    uv = next(line.split()[0] for line in locked if line.startswith("uv=="))
    install = ["install", "--quiet", "--disable-pip-version-check", uv]
    subprocess.run([Path(folder, "bin", "python"), "-m", "pip", *install], check=True)


def install_ensurepip() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"Python cannot make environments here: install Debian's {DEBIANS_PACKAGE} first.")
    subprocess.run(["apt-get", "update", "-q"], check=True)
    subprocess.run(["apt-get", "install", "-y", "-q", DEBIANS_PACKAGE], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
