"""The Node peer in benchmarks/peer: a server process, its worker and its Redis."""

from __future__ import annotations

import socket
from pathlib import Path

import redis
import requests
from django.conf import settings

from benchmarks.bench import tools
from benchmarks.bench.contenders import processes
from benchmarks.bench.load import Request
from downloads_project.local.ports import free_ports
from downloads_project.local.programs import redis_program
from downloads_project.processes import Process
from tests.live import until

BODY = '{"file_ids":[70000]}'


class Peer:
    name = "peer"

    def __init__(self, folder: Path, tokens: list[str]) -> None:
        node = tools.node()
        ports = free_ports(f"{folder}/peer")
        self._redis_port, port = next(ports), next(ports)
        self.url = f"http://127.0.0.1:{port}"
        self.tokens = tokens
        env = {
            "PEER_REDIS_PORT": str(self._redis_port),
            "PEER_SECRET": settings.SECRET_KEY,  # accepts the tokens of the service
            "PORT": str(port),
            "NODE_ENV": "production",
        }
        (folder / "peer").mkdir(exist_ok=True)
        redis = [redis_program(), "--bind", "127.0.0.1", "--port", str(self._redis_port)]
        redis += ["--dir", folder / "peer", "--save", ""]
        self.redis = Process("The peer's Redis", redis, folder / "peer-redis.log")
        server, worker = (
            Process(f"peer {name}", [node, tools.PEER / f"{name}.mjs"], folder / log, env)
            for name, log in (("server", "peer.log"), ("worker", "peer-worker.log"))
        )
        self.server, self.worker = server, worker

    def start(self) -> None:
        address = ("127.0.0.1", self._redis_port)
        self.redis.start()
        self.redis.wait_until(lambda: socket.create_connection(address, 1).close())
        self.server.start()
        self.worker.start()
        self.server.wait_until(lambda: requests.get(f"{self.url}/health", timeout=1))

    def stop(self) -> None:
        started = [p for p in (self.worker, self.server, self.redis) if hasattr(p, "popen")]
        processes.stop(started)

    def clear(self) -> None:
        """Delete all its data."""
        with redis.Redis(port=self._redis_port) as broker:
            broker.flushall()

    def done(self) -> int:
        with redis.Redis(port=self._redis_port) as broker:
            return int(broker.zcard("bull:downloads:completed"))

    def initiate(self, count: int) -> list[str]:
        """Create `count` jobs. Returns their IDs."""
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {self.tokens[0]}"
            session.headers["Content-Type"] = "application/json"
            url = f"{self.url}/v1/download/initiate"
            responses = [session.post(url, data=BODY, timeout=10) for _ in range(count)]
        return [response.json()["jobId"] for response in responses]

    @property
    def roots(self) -> dict[str, list[int]]:
        return {"node": [self.server.popen.pid], "redis": [self.redis.popen.pid]}

    @property
    def work_roots(self) -> dict[str, list[int]]:
        return {"worker": [self.worker.popen.pid], "redis": [self.redis.popen.pid]}

    def finished_job(self) -> str:
        before = self.done()
        job_id = self.initiate(1)[0]
        until(lambda: self.done() > before, 60)  # its status would be cached
        return job_id

    def poll(self, job_id: str) -> Request:
        return Request(f"{self.url}/v1/download/status/{job_id}", self.tokens[:1])

    def start_request(self, owners: int) -> Request:
        url = f"{self.url}/v1/download/initiate"
        return Request(url, self.tokens[:owners], method="POST", body=BODY)
