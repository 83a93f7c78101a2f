"""Put a line with right-to-left words into the order in which it is drawn.

python-bidi implements the Unicode Bidirectional Algorithm (UAX 9) without its rules L3 and L4: it
does not keep marks behind their letters, which shaping.py does, and does not mirror brackets.
"""

from __future__ import annotations

import re

from bidi import get_display
from bidi.mirror import MIRRORED

# Put after each bracket. It has no direction and is reordered with the character before it, so a
# bracket that comes out after its marker is in right-to-left text. text_lines.py removes it from
# names.
MARKER = "\N{ZERO WIDTH SPACE}"
BRACKET = f"[{re.escape(''.join(MIRRORED))}]"
# Without it a marker or joiner at the end of the line would not stay with its character.
END = "\N{LEFT-TO-RIGHT MARK}"
MARKED = re.compile(f"({BRACKET}){MARKER}|{MARKER}({BRACKET})")


def bidi_visual_order(text: str) -> str:
    """Return the characters from left to right, in a line that begins at the left."""
    marked = re.sub(BRACKET, rf"\g<0>{MARKER}", text)
    ordered = get_display(marked + END, base_dir="L").removesuffix(END)
    return MARKED.sub(lambda found: found[1] or MIRRORED[found[2]], ordered)
