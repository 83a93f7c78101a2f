"""What a process asks before it works. The answers are the system checks of jobs/checks/.

Management commands ask for contradictions by themselves. gunicorn asks nothing, and Celery asks
and throws the answer away.
"""

from __future__ import annotations

from django.core.checks import run_checks


def contradictions() -> list[str]:
    """Why this process must not start; empty where the settings agree."""
    found = [each for each in run_checks() if each.is_serious() and not each.is_silenced()]
    return sorted(f"{each.id}: {each.msg} {each.hint or ''}".strip() for each in found)
