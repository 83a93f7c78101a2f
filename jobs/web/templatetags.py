"""Template tags for markup that several templates share. Built in: templates need no {% load %}."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from jobs.kinds.base import Kind
from jobs.kinds.form import forms_for
from jobs.web.wording import StatusText

register = template.Library()

BETWEEN_FRAGMENTS = re.compile(r"\s*\n(?=<)")  # before a tag that begins a line

UNKNOWN_SHARE = 25  # percent of the ring, while the progress of a job is not known


@register.simple_tag(name="icon")
def icon_tag(name: str) -> SafeString:
    """Return an icon: one of the symbols in _icons.html."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="#{}"/></svg>', name)


@register.simple_tag(name="status")
def status_tag(icon_name: str, share: int | None = None) -> SafeString:
    """Return the glyph of a state: a ring that shows progress in percent, or a symbol."""
    if icon_name != "working":
        return _glyph(format_html('<use href="#{}"/>', icon_name))
    return _glyph(
        format_html(
            '<circle class="rest" cx="10" cy="10" r="7.25"/>'
            '<circle cx="10" cy="10" r="7.25" pathLength="100" stroke-dasharray="{} 100"'
            ' transform="rotate(-90 10 10)"/>',
            UNKNOWN_SHARE if share is None else share,
        )
    )


def _glyph(shape: SafeString) -> SafeString:
    return format_html('<svg class="glyph" viewBox="0 0 20 20" aria-hidden="true">{}</svg>', shape)


@register.simple_tag(name="status_word")
def status_word_tag(text: StatusText) -> SafeString:
    """Return the word for a state: 'Retrying in 24 s', with a countdown, or 'Ready'."""
    if not text.wait_seconds:
        return format_html("{}", text.word)
    return format_html(
        '{} in <span data-countdown="{}">{}</span>', text.word, text.wait_seconds, text.wait
    )


@register.simple_tag(name="time")
def time_tag(at: datetime | None, form: str, text: str) -> SafeString:
    """Return a <time> element, which pages.js rewrites in the reader's time zone.

    `form` is one of the formats in pages.js; without `at` the text stays as it is.
    """
    if at is None:
        return format_html("<time>{}</time>", text)
    moment = timezone.localtime(at).isoformat()
    return format_html('<time datetime="{}" data-time="{}">{}</time>', moment, form, text)


@register.simple_tag(name="invalid")
def invalid_tag(name: str, error: str = "", hint: str = "") -> SafeString:
    """Return the attributes that connect a field with its error and with its hint (an id)."""
    attributes = [("aria-invalid", "true")] if error else []
    return format_html_join("", ' {}="{}"', attributes) + described_by_tag(name, error, hint)


@register.simple_tag(name="described_by")
def described_by_tag(name: str, error: str = "", hint: str = "") -> SafeString:
    """Return aria-describedby with the ids of the field's error and hint, if there are any."""
    ids = " ".join(filter(None, [f"{name}-error" if error else "", hint]))
    return format_html(' aria-describedby="{}"', ids) if ids else SafeString()


@register.simple_tag(name="field_error")
def field_error_tag(name: str, error: str = "") -> SafeString:
    """Return the error below a field, or nothing."""
    if not error:
        return SafeString()
    return format_html('<p class="error" id="{}-error" role="alert">{}</p>', name, error)


@register.simple_tag(name="alert")
def alert_tag(error: str = "") -> SafeString:
    """Return an error that concerns a whole form, or nothing."""
    if not error:
        return SafeString()
    return format_html('<p class="notice is-failed" role="alert">{}{}</p>', icon_tag("info"), error)


@register.simple_tag(name="pressed")
def pressed_tag(value: str, chosen: str) -> SafeString:
    """Return aria-pressed for one button of a group."""
    return format_html('aria-pressed="{}"', "true" if value == chosen else "false")


@register.simple_tag(name="current")
def current_tag(value: str, here: str) -> SafeString:
    """Return aria-current for the link that leads to this page, else nothing."""
    return SafeString(' aria-current="page"') if value == here else SafeString()


@register.simple_tag(takes_context=True, name="kinds_with_form")
def kinds_with_form_tag(context: template.RequestContext) -> dict[str, Kind]:
    """Return the kinds that the user can request on a page, by the name of its URL."""
    return forms_for(context["user"])


@register.simple_tag
def counts(kinds: Mapping[str, int]) -> str:
    """Return 'bundle 2, remote 1'."""
    return ", ".join(f"{kind} {count}" for kind, count in kinds.items())


@register.simple_block_tag(name="fragments")
def fragments_tag(content: SafeString) -> SafeString:
    """Return fragments for htmx without the lines between them.

    Each swap would leave those in the page, which may poll for hours.
    """
    return mark_safe(BETWEEN_FRAGMENTS.sub("", content).strip())  # noqa: S308 - was safe before
