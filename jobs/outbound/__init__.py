"""Requests to other servers: downloads of links, and webhooks. The only code with outgoing HTTP.

Requests never use a proxy from the environment, carry no credentials, and connect only to
addresses that were checked before.
"""

from jobs.outbound.post import post_outbound
from jobs.outbound.post_response import PostResponse
from jobs.outbound.remote_file import RemoteFile
from jobs.outbound.remote_response import RemoteResponse
from jobs.outbound.response_errors import RangesBroken
from jobs.outbound.targets import target_of
from jobs.outbound.transfer_limits import LowSpeedLimit, check_transfer_size, limit_transfer_start
from jobs.outbound.url_parser import BadUrl

__all__ = [
    "BadUrl",
    "LowSpeedLimit",
    "PostResponse",
    "RangesBroken",
    "RemoteFile",
    "RemoteResponse",
    "check_transfer_size",
    "limit_transfer_start",
    "post_outbound",
    "target_of",
]
