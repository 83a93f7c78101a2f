"""The access log: one line per request on stdout. The metrics count the same requests."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quoted

from downloads_project.web_server.request_metrics import observe_request
from jobs.lib.log_lines import LineFormat, batched_lines, now


class AccessLog:
    """Lines have no query string: it may contain a secret, such as a signed link."""

    def add(
        self, peer: str, request: str, status: int, size: int, *, seconds: float, request_id: str
    ) -> None:
        observe_request(request, status, seconds)
        took = int(seconds * 1000)
        render = _json if LineFormat.is_json else _plain
        batched_lines.add(render(peer or "-", request, status, size, took, request_id or "-"))

    def flush(self) -> None:
        batched_lines.flush()


def _plain(peer: str, request: str, status: int, size: int, took: int, request_id: str) -> str:
    if '"' in request:
        request = request.replace('"', '\\"')
    return f'{now()} [info     ] {peer} "{request}" {status} {size} {took}ms {request_id}\n'


def _json(peer: str, request: str, status: int, size: int, took: int, request_id: str) -> str:
    # Formatted by hand, since json.dumps takes five times as long.
    method, _, rest = request.partition(" ")
    path, _, _ = rest.rpartition(" ")
    return (
        f'{{"event": "request", "method": {quoted(method)}, "path": {quoted(path)},'
        f' "status": {status:d}, "bytes": {size}, "milliseconds": {took},'
        f' "peer": {quoted(peer)}, "request_id": {quoted(request_id)},'
        f' "logger": "access", "level": "info", "timestamp": "{now()}"}}\n'
    )
