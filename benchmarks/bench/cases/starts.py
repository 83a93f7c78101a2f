"""Creates jobs while no worker runs: the cost of each up to its message in the broker."""

from __future__ import annotations

from benchmarks.bench.cases.comparison import LoadTarget, compare_under_load
from benchmarks.bench.figures import Result
from benchmarks.bench.rig import Rig


def by_fifty_owners(rig: Rig) -> Result:
    """What does a start cost, by 50 owners in turn? The service's is on disk, the peer's is not."""
    return _starts(rig, rig.sizes.owners)


def by_one_owner(rig: Rig) -> Result:
    """What does a start cost, all by one owner?"""
    return _starts(rig, 1)


def _starts(rig: Rig, owners: int) -> Result:
    service = rig.service
    request = service.start_request(owners)
    roots = service.roots("web", "postgres", "redis")
    targets = {"service": LoadTarget(lambda: request, roots, service.drop_queued)}
    if rig.has_peer:
        peer, peer_request = rig.peer, rig.peer.start_request(owners)
        targets["peer"] = LoadTarget(lambda: peer_request, peer.roots, clean=peer.clear)
    return compare_under_load(rig, targets, rig.sizes.connections)
