"""Write the command `downloads` into a virtual environment.

    python3 -m deploy.install_client .venv

It runs downloads_client of this checkout. Needs no network, and `uv pip sync` leaves it alone;
`pip install .` installs the same command where there is no checkout.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """\
#!{python}
import sys

sys.path.insert(0, {root!r})
from downloads_client.__main__ import main

sys.exit(main())
"""


def main(folder: str) -> None:
    bin_folder = Path(folder).absolute() / "bin"
    script = bin_folder / "downloads"
    script.write_text(SCRIPT.format(python=bin_folder / "python", root=str(ROOT)))
    script.chmod(0o755)


if __name__ == "__main__":
    main(sys.argv[1])
