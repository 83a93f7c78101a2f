"""Texts about links."""

from __future__ import annotations

from django.conf import settings

from jobs.web.wording.next_steps import NO_RETRY, STOPPED
from jobs.web.wording.number_text import size_limit_text

NEXT_STEPS = {
    "blocked_address": f"{NO_RETRY} Use a link to a public address.",
    "blocked_redirect": f"{NO_RETRY} Open the link in a browser, and use the public address it"
    " redirects to.",
    "too_many_redirects": f"{NO_RETRY} Open the link in a browser, and use the address it redirects"
    " to.",
    "remote_refused": f"{NO_RETRY} Open the link in a browser: the file may be gone, or may require"
    " signing in.",
    "remote_not_trusted": f"{NO_RETRY} Let the owner of the site know that its certificate is not"
    " valid.",
    "remote_not_a_file": f"{NO_RETRY} Open the link in a browser: there may be a direct link to the"
    " file, or the site may require signing in.",
    "remote_encoded": f"{NO_RETRY} Download the file with a browser, or contact the owner of the"
    " site.",
    "remote_too_large": f"{NO_RETRY} We fetch files of up to"
    f" {size_limit_text(settings.REMOTE_MAX_BYTES)}. Ask an operator about larger ones.",
    "remote_unavailable": f"{STOPPED} Check that the link works in a browser, and retry later.",
    "remote_too_slow": f"{STOPPED} Retry later, when the server is less busy.",
    "remote_changed": f"{STOPPED} Retry when the file no longer changes.",
    "checksum_mismatch": f"{NO_RETRY} Compare your SHA-256 with the one on the site. We didn't keep"
    " the file.",
    "timeout": f"{NO_RETRY} Use more connections, or retry later.",
}
