"""What is wrong with the class of a kind, in sentences. A system check reports it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rest_framework import serializers

from jobs.kinds.base import Kind
from jobs.models import DownloadJob, StoredFile
from jobs.terms import REQUEST_FIELDS

NAME = re.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_CHARS = DownloadJob._meta.get_field("kind").max_length or 0
ROLE = re.compile(r"[A-Za-z0-9_-]{1,20}")  # in URLs, and the length of the column
PERMISSION = re.compile(r"\w+\.\w+")
# Fields that every request or every form has.
RESERVED = {*REQUEST_FIELDS, "once", "csrfmiddlewaretoken"}


class Mistake(NamedTuple):
    sentence: str
    hint: str
    check_id: str


def mistakes(kind: type[Kind]) -> Iterator[Mistake]:
    """Yield each mistake in the class."""
    path = f"{kind.__module__}.{kind.__qualname__}"
    name = getattr(kind, "name", None)
    if not (isinstance(name, str) and NAME.fullmatch(name) and len(name) <= MAX_CHARS):
        hint = f"Use lower-case letters, digits and single hyphens, at most {MAX_CHARS} characters."
        yield Mistake(f"{path}.name is {name!r}, which is not a name.", hint, "jobs.E033")
    if not isinstance(getattr(kind, "label", None), str) or not kind.label.strip():
        yield Mistake(f"{path} has no label.", 'Set label, such as "Orders as CSV".', "jobs.E034")
    for method in ("load", "build"):
        if getattr(kind, method) is getattr(Kind, method):
            hint = "Override it; see docs/kinds.md."
            yield Mistake(f"{path} has no method {method}.", hint, "jobs.E035")
    if kind.permission and not PERMISSION.fullmatch(kind.permission):
        hint = 'Use the name of an app and a permission, such as "shop.export_orders".'
        yield Mistake(f"{path}.permission is {kind.permission!r}.", hint, "jobs.E036")
    if kind.max_running is not None and kind.max_running < 1:
        hint = "Use at least 1, or None for as many as the workers take."
        yield Mistake(f"{path}.max_running is {kind.max_running}.", hint, "jobs.E041")
    for role in kind.roles:
        if not ROLE.fullmatch(role) or role in StoredFile.Role.values:
            hint = "Use up to 20 letters, digits, hyphens and underscores, and no word of ours."
            yield Mistake(f"{path}.roles has {role!r}.", hint, "jobs.E040")
    yield from _mistakes_in_params(kind, path)


def _mistakes_in_params(kind: type[Kind], path: str) -> Iterator[Mistake]:
    if not (isinstance(kind.Params, type) and issubclass(kind.Params, serializers.Serializer)):
        hint = "Derive it from rest_framework.serializers.Serializer."
        yield Mistake(f"{path}.Params is not a serializer.", hint, "jobs.E037")
        return
    fields = kind.Params().fields
    for field in sorted(RESERVED & set(fields)):
        hint = "Rename the field: every request has one of this name."
        yield Mistake(f"{path}.Params has a field {field!r}.", hint, "jobs.E038")
    if Kind.name_field in fields and "name_field" not in vars(kind):
        hint = 'Rename the field, or set name_field = "name" if it is the name of the file.'
        yield Mistake(f"{path}.Params has a field 'name'.", hint, "jobs.E038")
