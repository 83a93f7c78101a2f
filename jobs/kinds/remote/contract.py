"""The operations of links in the OpenAPI document."""

from __future__ import annotations

from jobs.kinds.remote.kind import Remote
from jobs.kinds.remote.response import AcceptedLink, LinkJob
from jobs.web.openapi.decorators import cancelling, creating, json_body, listing, polling
from jobs.web.serializers import request_of

BODY = json_body(request_of(Remote), example=Remote.example)

fetch_link = creating("fetch_link", BODY, AcceptedLink)
links = listing("links", LinkJob)
link = polling("link", LinkJob)
link_status = polling("link_status", LinkJob)
cancel_link = cancelling("cancel_link", LinkJob)
