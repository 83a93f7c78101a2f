"""Check the kinds of jobs in the setting KINDS. Connects to nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from jobs.kinds.base import Kind
from jobs.kinds.likely_mistakes import likely_mistakes
from jobs.kinds.mistakes import mistakes
from jobs.kinds.registry import kind_class


@register
def check_kinds(**kwargs: Any) -> list[CheckMessage]:
    errors: list[CheckMessage] = []
    by_name: dict[str, type[Kind]] = {}
    for path in settings.KINDS:
        try:
            kind = kind_class(path)
        except ImproperlyConfigured as error:
            errors.append(Error(str(error), hint="Correct or remove it.", id="jobs.E031"))
            continue
        found = [Error(*each[:2], id=each.check_id) for each in mistakes(kind)]
        errors += found or [Warning(*each[:2], id=each.check_id) for each in likely_mistakes(kind)]
        name = getattr(kind, "name", path)
        if by_name.setdefault(name, kind) is not kind:
            sentence = f"{path} has the name {name!r}, as an earlier kind has."
            errors.append(Error(sentence, hint="Give it a name of its own.", id="jobs.E032"))
    return errors
