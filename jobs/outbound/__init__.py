"""Requests to other servers: downloads of links, and webhooks. The only code with outgoing HTTP.

Requests never use a proxy from the environment, carry no credentials, and connect only to
addresses that were checked before.
"""

from jobs.outbound.http import PostResponse, RemoteFile
from jobs.outbound.limits import LowSpeedLimit, bounded, check_size
from jobs.outbound.post import post
from jobs.outbound.response import RangesBroken, RemoteResponse
from jobs.outbound.targets import BadUrl, target_of

__all__ = [
    "BadUrl",
    "LowSpeedLimit",
    "PostResponse",
    "RangesBroken",
    "RemoteFile",
    "RemoteResponse",
    "bounded",
    "check_size",
    "post",
    "target_of",
]
