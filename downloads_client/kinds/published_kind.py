"""Kinds that the client does not know: the service publishes what they are, and their fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from downloads_client.failures import UsageError
from downloads_client.formatting import format_printable
from downloads_client.new_download import COMMON_OPTIONS, NewDownload
from downloads_client.options import Option, OptionGroup, OptionValues, without_empty_options

KIND = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
FIELD_OPTIONS = OptionGroup(
    (
        Option(
            "--field",
            "a field of the request, such as year=2026; repeatable",
            metavar="NAME=VALUE",
            dest="fields",
            action="append",
        ),
    ),
    misplaced="--field needs the name of a kind, such as order-export.",
)


@dataclass(frozen=True)
class PublishedKind:
    """A kind, as `GET /v1/kinds` describes it. `schema` is the JSON Schema of its requests."""

    name: str
    label: str
    path: str
    schema: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class KindRequest:
    """A request by the name of a kind. What its fields are is known when the service is asked."""

    kind: str
    fields: tuple[tuple[str, str], ...]
    common: dict[str, Any]

    @classmethod
    def parse(cls, kind: str, values: OptionValues) -> KindRequest:
        """Return the request that the options describe. Raises UsageError."""
        fields = tuple(_split(each) for each in values.get("fields") or [])
        name = without_empty_options(name=values.get("name"))
        return cls(kind, fields, name | COMMON_OPTIONS.members(values))

    def resolve(self, kinds: list[PublishedKind]) -> NewDownload:
        """Return the request with typed values. Raises UsageError."""
        kind = next((each for each in kinds if each.name == self.kind), None)
        if kind is None:
            names = ", ".join(each.name for each in kinds)
            raise UsageError(
                f"There is no kind {format_printable(self.kind)!r}. There are: {names}."
            )
        if not kind.schema:
            raise UsageError(f"{kind.name} cannot be requested from the terminal.")
        texts: dict[str, list[str]] = {}
        for name, text in self.fields:
            texts.setdefault(name, []).append(text)
        members = kind.schema.get("properties", {})
        if unknown := [name for name in texts if name not in members]:
            names = ", ".join(members)
            raise UsageError(
                f"{kind.name} has no field {format_printable(unknown[0])!r}. It has: {names}."
            )
        body = {name: self._value(name, given, kind.schema) for name, given in texts.items()}
        body |= self.common
        for name in kind.schema.get("required", []):
            if name not in body:
                raise UsageError(f"{kind.name} needs --field {name}=VALUE.")
        return NewDownload(kind.path, body, kind.label)

    def _value(self, name: str, texts: list[str], schema: dict[str, Any]) -> Any:
        described = _resolved(schema["properties"][name], schema)
        if "array" in _types(described):
            item = _resolved(described.get("items", {}), schema)
            return [_typed(name, text, item) for text in texts]
        if len(texts) > 1:
            raise UsageError(f"--field {name} can be given once.")
        return _typed(name, texts[0], described)


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(
            f"--field needs NAME=VALUE, such as year=2026, not {format_printable(text)!r}."
        )
    return name, value


def _typed(name: str, text: str, schema: dict[str, Any]) -> Any:
    types = _types(schema)
    try:
        if "integer" in types:
            return int(text)
        if "number" in types:
            return float(text)
    except ValueError:
        kind = "whole number" if "integer" in types else "number"
        raise UsageError(f"--field {name} needs a {kind}.") from None
    if "boolean" in types:
        if text.lower() not in BOOLEANS:
            raise UsageError(f"--field {name} needs true or false.")
        return BOOLEANS[text.lower()]
    choices = [each for each in schema.get("enum", []) if isinstance(each, str) and each]
    if choices and text not in choices:
        raise UsageError(f"--field {name} needs one of {', '.join(choices)}.")
    return text


def _types(schema: dict[str, Any]) -> list[str]:
    types = schema.get("type", "string")
    return [types] if isinstance(types, str) else list(types)


def _resolved(node: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference to `$defs` means, also one that is wrapped in `allOf`."""
    while isinstance(node, dict):
        if wrapped := node.get("allOf"):
            node = wrapped[0]
        elif isinstance(reference := node.get("$ref"), str):
            node = schema.get("$defs", {}).get(reference.rpartition("/")[2], {})
        else:
            return node
    return {}
