"""Files on other people's servers, and what these are told: the only outgoing HTTP.

What is asked of a server never goes through a proxy of the environment, carries no credentials,
and goes to an address that was judged before.
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
