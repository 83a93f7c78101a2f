"""Every mode by name, as a file to serve: `replace(MODES["drops-at-60-percent"], size=9_000_000)`.

The file's name belongs to its mode: some modes depend on .zip or .gz.
"""

from __future__ import annotations

from tests.hostile import breaks, changes, lies, redirects, refusals
from tests.hostile.content import File

MODES: dict[str, File] = {
    "honest": File(),
    "empty": File(size=0),
    "one-byte": File(size=1),
    **lies.MODES,
    **changes.MODES,
    **breaks.MODES,
    **refusals.MODES,
    **redirects.MODES,
}
