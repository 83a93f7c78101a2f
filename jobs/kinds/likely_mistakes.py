"""What is probably wrong with the class of a kind, in sentences. A system check warns of it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_type_hints

from jobs.kinds.base import Kind
from jobs.kinds.form import is_shown
from jobs.kinds.mistakes import Mistake

SIMILAR = 0.8  # as difflib measures it: `has_forms` and `has_form` are 0.94
HOUSE = "jobs."  # modules of the service, whose attributes have a meaning
RENAME = "Correct it. If it is your own, give it another name, or one that starts with _."


def likely_mistakes(kind: type[Kind]) -> Iterator[Mistake]:
    """Yield what has no effect, or another than meant. The class has no mistakes."""
    path = f"{kind.__module__}.{kind.__qualname__}"
    yield from _missing_form(kind, path)
    yield from _misspelled(kind, path)
    yield from _replaced_properties(kind, path)


def _missing_form(kind: type[Kind], path: str) -> Iterator[Mistake]:
    if kind.form_url_name or not kind.has_form:
        return
    for name, field in kind.Params().fields.items():
        if field.required and not is_shown(field):
            yield Mistake(
                f"{path} has no form: none can offer {name!r}, a required {type(field).__name__}.",
                "Set has_form = False, or give the field required=False or a default.",
                "jobs.W041",
            )


def _misspelled(kind: type[Kind], path: str) -> Iterator[Mistake]:
    """Yield attributes of one's own that are named almost as one that the service reads.

    Constants in upper case and names that start with _ are left out, and names like those of an
    attribute that the class sets, too: `labels` beside `label`.
    """
    classes = _own_classes(kind)
    written = {name for each in classes for name in vars(each)}
    known = {
        name
        for each in kind.__mro__
        if issubclass(each, Kind) and each.__module__.startswith(HOUSE)
        for name in vars(each)
        if not name.startswith("_")
    }
    for name in sorted(written - known):
        if name.startswith("_") or name.isupper():
            continue
        for similar in get_close_matches(name, sorted(known - written), n=1, cutoff=SIMILAR):
            sentence = f"{path}.{name} has no effect. Did you mean {similar}?"
            yield Mistake(sentence, RENAME, "jobs.W042")


def _replaced_properties(kind: type[Kind], path: str) -> Iterator[Mistake]:
    """Yield properties of Kind that are set to a value of another type: `time_limit = 60`."""
    for name in sorted({name for each in _own_classes(kind) for name in vars(each)}):
        computed, value = vars(Kind).get(name), getattr(kind, name)
        if not isinstance(computed, property) or hasattr(value, "__get__"):
            continue
        expected = _returned_type(computed)
        if not isinstance(value, expected):
            settable = [each for each in vars(Kind) if each.startswith(f"{name}_")]
            instead = f" Did you mean {settable[0]}?" if settable else ""
            sentence = f"{path}.{name} is {value!r}, not a {expected.__name__}.{instead}"
            yield Mistake(sentence, "Remove or correct it; see jobs/kinds/base.py.", "jobs.W043")


def _own_classes(kind: type[Kind]) -> list[type[Any]]:
    """Return the kind's class and those that it inherits from, without the service's own."""
    before = kind.__mro__[: kind.__mro__.index(Kind)]
    return [each for each in before if not each.__module__.startswith(HOUSE)]


def _returned_type(computed: property) -> type[Any]:
    returned: type[Any] = get_type_hints(computed.fget)["return"]
    return returned
