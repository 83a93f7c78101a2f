"""Check that a worker's kernel has all layers of the sandbox for uploaded files."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from jobs.kinds.upload import previews
from jobs.lib.preflight import SANDBOX

LACK = {
    "seccomp": "code in an uploaded file could use the network and other processes",
    "landlock": "code in an uploaded file could read and change the files of other uploads",
}
CURE = {
    "seccomp": "Run workers on x86-64 or aarch64, in containers whose own filter allows seccomp.",
    "landlock": "Run workers on Linux 5.13 or newer with landlock among its security modules"
    " (lsm=landlock,…), in containers whose own filter allows its calls.",
}


@register
def check_upload_layers(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"SANDBOX_OPTIONAL_LAYERS has {name!r}, which is not a layer of the sandbox.",
            hint=f"Set SANDBOX_OPTIONAL_LAYERS to some of {','.join(previews.LAYERS)}.",
            id="jobs.E025",
        )
        for name in settings.SANDBOX_OPTIONAL_LAYERS
        if name not in previews.LAYERS
    ]


@register(SANDBOX)
def check_upload_sandbox(**kwargs: Any) -> list[CheckMessage]:
    """Check workers only: no other process reads uploaded files."""
    if settings.ROLE != "worker":
        return []
    return [_missing(layer) for layer in previews.missing_sandbox_layers()]


def _missing(layer: str) -> CheckMessage:
    sentence = f"This machine has no {layer}: {LACK[layer]}."
    if not settings.PRODUCTION or layer in settings.SANDBOX_OPTIONAL_LAYERS:
        return Warning(sentence, hint=CURE[layer], id="jobs.W014")
    hint = f"{CURE[layer]} To run without: SANDBOX_OPTIONAL_LAYERS={layer}; see docs/sandbox.md."
    return Error(sentence, hint=hint, id="jobs.E024")
