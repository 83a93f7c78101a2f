"""Processor time of process trees, from /proc.

Unlike requests per second, it is meaningful on a busy machine: it excludes other processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PARENT, FIRST_TIME, TIMES = 1, 11, 4  # of the fields after the name: ppid; utime to cstime
Roots = Mapping[str, Sequence[int]]  # process ids whose trees are counted, by group


def read(roots: Roots) -> dict[str, float]:
    """Return the milliseconds that each group has used so far, with its ended children.

    A child's time moves to its parent's cutime and cstime when the parent has waited for it, so
    that the sum over a tree never loses it. Without those two, the figure of a worker that replaces
    its pool processes would be several times too low.
    """
    table = _table()
    return {group: sum(_tree_ms(table, pid) for pid in pids) for group, pids in roots.items()}


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {group: after[group] - before[group] for group in before}


def tree(root: int) -> list[int]:
    """Return the process and its descendants."""
    return list(_below(_table(), root))


def memory_kib(root: int) -> int:
    """Return the resident memory of the tree, in KiB. Shared pages count in each process."""
    return sum(_resident_kib(pid) for pid in tree(root))


Table = dict[int, tuple[int, float]]  # parent and milliseconds, by process id


def _table() -> Table:
    table: Table = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name is in parentheses and may contain any character, also parentheses.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            ticks = sum(int(field) for field in fields[FIRST_TIME : FIRST_TIME + TIMES])
            table[int(entry.name)] = int(fields[PARENT]), ticks * 1000 / TICKS_A_SECOND
    return table


def _below(table: Table, root: int) -> Iterable[int]:
    if root in table:
        yield root
        for pid, (parent, _) in table.items():
            if parent == root:
                yield from _below(table, pid)


def _tree_ms(table: Table, root: int) -> float:
    return sum(table[pid][1] for pid in _below(table, root))


def _resident_kib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line.split() for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0][1]) if lines else 0
