"""Options of the command line that become members of a request body."""

from __future__ import annotations

from argparse import Action
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from downloads_client.failures import UsageError
from downloads_client.formatting import format_printable

OptionValues = Mapping[str, Any]  # by the options' `key`; None, "" and [] are not given
NO_OPTIONS: OptionValues = {}


@dataclass(frozen=True)
class Option:
    """An option of the command line. Its value is None if it is not given.

    `member` is its member of the request body, or "" if it has none. The others are arguments
    of `ArgumentParser.add_argument`.
    """

    flag: str
    help: str
    member: str = ""
    metavar: str | None = None
    dest: str = ""
    value_type: Callable[[str], Any] | None = None
    action: str | type[Action] | None = None

    @property
    def key(self) -> str:
        """The name of its value among those that argparse returns."""
        return self.dest or self.flag.removeprefix("--").replace("-", "_")

    def add_to(self, add_argument: Callable[..., object]) -> None:
        """Add it to a parser or to an argument group."""
        given = without_empty_options(
            metavar=self.metavar, type=self.value_type, action=self.action
        )
        add_argument(self.flag, help=self.help, dest=self.key, default=None, **given)


@dataclass(frozen=True)
class OptionGroup:
    """Options that are accepted together. `misplaced` is the error where they are not."""

    options: tuple[Option, ...] = ()
    misplaced: str = ""

    def members(self, values: OptionValues) -> dict[str, Any]:
        """Return the members of the request body for the given values."""
        members = {each.member: values.get(each.key) for each in self.options if each.member}
        return without_empty_options(**members)

    def reject(self, values: OptionValues) -> None:
        """Raise UsageError if one of the options is given."""
        if without_empty_options(**{each.key: values.get(each.key) for each in self.options}):
            raise UsageError(self.misplaced)


def without_empty_options(**members: Any) -> dict[str, Any]:
    """Return the members that are not None, empty text or an empty list."""
    return {name: value for name, value in members.items() if value not in (None, "", [])}


def decode_options(options: dict[str, Any]) -> dict[str, Any]:
    """Decode the values as UTF-8 even in an ASCII locale. Raises UsageError."""
    return {name: value if name == "output" else _decode(value) for name, value in options.items()}


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(each) for each in value]
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        # Bytes that the locale cannot decode are surrogates (PEP 383).
        return value.encode("utf-8", "surrogateescape").decode()
    except UnicodeError as error:
        raise UsageError(f"{format_printable(value)} is not valid UTF-8.") from error
