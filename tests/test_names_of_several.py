"""The name of a zip without one: what is inside."""

from __future__ import annotations

import pytest

from jobs.lib.names import MAX_NAME_BYTES, name_of_several


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        (["report.pdf", "a.txt", "b.txt"], "report.pdf and 2 more"),
        (["report.pdf"], "report"),
        (["2026/05/a.pdf", "2026/05/b.pdf"], "05"),
        (["2026/a.pdf"], "2026"),
        (["2026/a.pdf", "2025/b.pdf"], "a.pdf and 1 more"),
        (["x/a.pdf", "b.pdf"], "a.pdf and 1 more"),
        (["../a.pdf", "../b.pdf"], "file"),
        (["CON", "b"], "_CON and 1 more"),
        (["a\u202egnp.exe", "b"], "agnp.exe and 1 more"),
        ([f"{n}.txt" for n in range(1_234)], "0.txt and 1,233 more"),
    ],
)
def test_it_is_the_folder_or_the_first_file(paths: list[str], name: str) -> None:
    assert name_of_several(paths) == name


def test_a_long_name_keeps_the_number_of_the_others() -> None:
    name = name_of_several(["ä" * 200 + ".pdf", "b.txt"])

    assert name.endswith("ä and 1 more")
    assert len(name.encode()) + len(".zip") <= MAX_NAME_BYTES
