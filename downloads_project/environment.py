"""Read the environment. An invalid value stops the process with an error message."""

from __future__ import annotations

import sys
from typing import NoReturn

import environ

TRUE = {"true", "yes", "on", "1", "y", "ok"}
FALSE = {"false", "no", "off", "0", "n"}
CANNOT_BOOT = 3  # the exit status after which gunicorn stops, instead of starting the next


class Environment(environ.Env):  # type: ignore[misc] # the library has no types
    """django-environ reads an unknown boolean as false: `PRODUCTION=ture` would be development."""

    def bool(self, var: str, default: bool = False) -> bool:
        """The variable as a boolean. Returns the default where it is not set, or empty."""
        text = str(self.str(var, default="")).strip()
        return boolean(var, text) if text else default


def boolean(name: str, text: str) -> bool:
    """Return what the variable's text says, or stop the process."""
    if (word := text.strip().lower()) in TRUE:
        return True
    if word not in FALSE:
        _stop(f"{name} is {text!r}, which is neither true nor false. Set {name} to true or false.")
    return False


def _stop(sentence: str) -> NoReturn:
    if sys.argv[1:2] != ["download"]:  # which says it as it says everything: manage.py
        sys.stderr.write(f"{sentence}\n")
    raise BadSetting(sentence)


class BadSetting(SystemExit):
    """Ends the process with CANNOT_BOOT."""

    def __init__(self, sentence: str) -> None:
        super().__init__(CANNOT_BOOT)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence
