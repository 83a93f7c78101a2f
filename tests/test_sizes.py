"""Sizes for people: the same on pages, in scripts and in the terminal."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from downloads_client import formatting
from jobs.lib.file_size import NO_BREAK, file_size_text

SIZES_JS = Path(__file__).parent.parent / "jobs/static/jobs/sizes.js"
SIZES = {
    0: "0 B",
    1: "1 B",
    999: "999 B",
    1_000: "1 kB",
    1_499: "1 kB",
    2_500: "3 kB",  # a half
    999_499: "999 kB",
    999_500: "1.0 MB",
    1_049_999: "1.0 MB",
    1_250_000: "1.3 MB",  # a half
    14_350_000: "14.4 MB",  # a half that no binary number is
    59_117_758: "59.1 MB",
    999_949_999: "999.9 MB",
    999_950_000: "1.0 GB",
    1_000_000_000: "1.0 GB",
    999_950_000_000: "1.0 TB",
    2_500_000_000_000: "2.5 TB",
    999_950_000_000_000: "1.0 PB",
    7_250_000_000_000_000: "7.3 PB",
}
PAIRS = {
    (0, 100): "0 of 100 B",
    (0, 0): "0 B",
    (3_100_000, 14_200_000): "3.1 of 14.2 MB",
    (450_000, 999_500): "0.5 of 1.0 MB",
    (14_200_000, 14_200_000): "14.2 of 14.2 MB",
}
# Around each change of the unit and around halves, as far as JavaScript's integers go.
MORE = [
    number * 10**power + offset
    for power in range(14)
    for number in (1, 9, 15, 25, 99, 145, 995, 9_995)
    for offset in (-1, 0, 1)
    if number * 10**power < 2**53
]


@pytest.mark.parametrize(("count", "text"), SIZES.items())
def test_pages_and_terminal_show_a_size(count: int, text: str) -> None:
    assert file_size_text(count) == text.replace(" ", NO_BREAK)
    assert formatting.format_size(count) == text


@pytest.mark.parametrize(("pair", "text"), PAIRS.items())
def test_pages_show_a_part_and_the_total_in_one_unit(pair: tuple[int, int], text: str) -> None:
    assert file_size_text(*pair).replace(NO_BREAK, " ") == text


def test_scripts_show_the_same_sizes() -> None:
    assert sizes_in_javascript([[count] for count in SIZES]) == list(SIZES.values())
    assert sizes_in_javascript([list(pair) for pair in PAIRS]) == list(PAIRS.values())


def test_scripts_pages_and_terminal_agree_on_every_boundary() -> None:
    in_javascript = sizes_in_javascript([[count] for count in MORE])

    assert [file_size_text(count).replace(NO_BREAK, " ") for count in MORE] == in_javascript
    assert [formatting.format_size(count) for count in MORE] == in_javascript


def test_a_speed_is_rounded_to_whole_bytes() -> None:
    assert formatting.format_size(999.7) == "1 kB"
    assert formatting.format_size(1.4) == "1 B"


def sizes_in_javascript(calls: list[list[int]]) -> list[str]:
    """Return the results of sizeOf, one for each list of arguments."""
    if not (node := shutil.which("node")):
        pytest.skip("needs node")
    code = (
        f"calls = {json.dumps(calls)}; console.log(JSON.stringify(calls.map((c) => sizeOf(...c))))"
    )
    script = SIZES_JS.read_text() + code
    output = subprocess.run([node], input=script, capture_output=True, text=True, check=True).stdout
    return [text.replace(NO_BREAK, " ") for text in json.loads(output)]
