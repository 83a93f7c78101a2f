"""Read the environment. An invalid value stops the process with an error message.

`.env.example` lists the variables, and docs/settings.md explains them.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import MutableMapping, Sequence
from importlib.util import find_spec
from typing import NoReturn, TypeVar

import environ

from jobs.lib.log_lines import LineFormat, write_line_at_once

TRUE = {"true", "yes", "on", "1", "y", "ok"}
FALSE = {"false", "no", "off", "0", "n"}
CANNOT_BOOT = 3  # the exit status after which gunicorn stops, instead of starting the next
MAX_PORT = 65_535

Number = TypeVar("Number", int, float)


class Environment(environ.Env):  # type: ignore[misc] # the library has no types
    """Variables. One that is empty has its default.

    django-environ reads an unknown boolean as false: `PRODUCTION=ture` would be development.
    """

    ENVIRON: MutableMapping[str, str] = os.environ

    def flag(self, name: str, default: bool = False) -> bool:
        """Return the variable as a boolean."""
        text = self._text(name)
        if not text:
            return default
        if text.lower() not in TRUE | FALSE:
            _stop(name, text, "neither true nor false", "true or false")
        return text.lower() in TRUE

    def number(
        self, name: str, default: Number, *, minimum: int = 0, maximum: float = math.inf
    ) -> Number:
        """Return the variable as a number: an integer, unless the default is a float."""
        text = self._text(name)
        return _number(name, text, default, minimum, maximum) if text else default

    def numbers(self, name: str, default: list[Number]) -> list[Number]:
        """Return the variable as numbers, separated by commas."""
        texts = [each.strip() for each in self._text(name).split(",")]
        return [_number(name, each, default[0], 0, math.inf) for each in texts if each] or default

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return the variable, which must be one of these words."""
        text = self._text(name)
        if text and text not in choices:
            _stop(name, text, "unknown", f"one of {', '.join(choices)}")
        return text or default

    def modules(self, name: str) -> list[str]:
        """Return the variable as dotted paths, separated by commas, in packages that exist."""
        paths = [each.strip() for each in self._text(name).split(",") if each.strip()]
        for path in paths:
            package = path.partition(".")[0]
            if not package.isidentifier() or find_spec(package) is None:
                fault = f"not installed: there is no package {package!r}"
                _stop(name, path, fault, "dotted paths of packages on the Python path")
        return paths

    def web_processes(self) -> int:
        """Return the number of web processes on one host."""
        return self.number("WEB_PROCESSES", 2)

    def _text(self, name: str) -> str:
        return str(self.str(name, default="")).strip()


def _number(name: str, text: str, example: Number, minimum: int, maximum: float) -> Number:
    try:
        value = type(example)(text)
    except ValueError:
        value = type(example)(-1)
    if not minimum <= value <= maximum or math.isinf(value):
        kind = "a whole number" if isinstance(example, int) else "a number"
        limits = f"from {minimum}" + (f" to {maximum:.0f}" if math.isfinite(maximum) else "")
        _stop(name, text, f"not {kind} {limits}", f"{kind} {limits}, such as {example}")
    return value


def _stop(name: str, text: str, fault: str, valid: str) -> NoReturn:
    sentence = f"{name} is {text!r}, which is {fault}. Set {name} to {valid}."
    if sys.argv[1:2] != ["download"]:  # which says it as it says everything: manage.py
        if os.environ.get("ROLE", "command") == "command":
            sys.stderr.write(f"{sentence}\n")
        else:
            # The logs are not configured yet, and the value that is invalid may be one of these.
            flag = os.environ.get("LOG_JSON") or os.environ.get("PRODUCTION", "")
            LineFormat.is_json = flag.lower() in TRUE
            write_line_at_once(sentence, "critical")
    raise BadSetting(sentence)


class BadSetting(SystemExit):
    """Ends the process with exit code CANNOT_BOOT."""

    def __init__(self, sentence: str) -> None:
        super().__init__(CANNOT_BOOT)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence
