"""Write the command `downloads` into a virtual environment.

    python3 -m deploy.install_client .venv

The command runs downloads_client of this checkout. Needs no network, and `uv pip sync` does not
remove it. Without a checkout, `pip install .` installs the same command.
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
