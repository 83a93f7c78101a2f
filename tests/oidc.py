"""A real provider of OpenID Connect on localhost, behind a proxy that can tamper."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import requests
from joserfc import jwt
from joserfc.jwk import RSAKey

from downloads_project.local.ports import free_ports

OUR_KEY = RSAKey.generate_key(2048, {"kid": "ours", "use": "sig", "alg": "RS256"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "ours", "use": "sig", "alg": "RS256"})


class MockServer:
    """The provider, in a process of its own."""

    def __enter__(self) -> Self:
        self.port = next(free_ports(str(uuid4())))
        command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(300):
            try:
                requests.get(f"http://127.0.0.1:{self.port}/jwks", timeout=5)
                return self
            except requests.ConnectionError:
                time.sleep(0.1)
        raise TimeoutError("the provider did not start")

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


class Provider:
    """The address of the provider for one test.

    With `claims`, ID tokens are signed anew, with these claims instead; None removes one. The key
    set has the new key, but `signed_with` may be another. `held` requests wait for `release`.
    """

    def __init__(self, behind: MockServer) -> None:
        self.behind = behind
        self.claims: dict[str, Any] | None = None
        self.signed_with, self.header = OUR_KEY, {"alg": "RS256", "kid": "ours"}
        self.metadata: dict[str, Any] = {}  # that is changed
        self.held: set[str] = set()  # paths
        self.paths: list[str] = []
        self.challenge = self.verifier = ""
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def set_user(self, subject: str, **claims: Any) -> None:
        url = f"http://127.0.0.1:{self.behind.port}/users/{subject}"
        requests.put(url, json=claims, timeout=10).raise_for_status()

    def authorize(self, url: str, subject: str, *, action: str = "authorize") -> str:
        """Send the provider's form as the user would. Return where it redirects to."""
        form = {"sub": subject, "action": action}
        response = requests.post(url, form, allow_redirects=False, timeout=30)
        return response.headers["Location"]

    @property
    def pkce_is_right(self) -> bool:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return self.challenge == base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._forward(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        return Handler

    def _forward(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self._note(parts.path, parts.query, body)
        if parts.path in self.held:
            self._released.wait(60)
            return
        connection = HTTPConnection("127.0.0.1", self.behind.port, timeout=30)
        names = ("Host", "Content-Type", "Authorization", "Accept", "Content-Length")
        headers = {name: handler.headers[name] for name in names if handler.headers[name]}
        connection.request(handler.command, handler.path, body, headers)
        response = connection.getresponse()
        content = self._changed(parts.path, response.read())
        handler.send_response(response.status)
        for name in ("Location", "Content-Type"):
            if value := response.getheader(name):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
        connection.close()

    def _note(self, path: str, query: str, body: bytes) -> None:
        self.paths.append(path)
        if challenge := parse_qs(query).get("code_challenge"):
            assert parse_qs(query)["code_challenge_method"] == ["S256"]
            self.challenge = challenge[0]
        if verifier := parse_qs(body.decode()).get("code_verifier"):
            self.verifier = verifier[0]

    def _changed(self, path: str, content: bytes) -> bytes:
        if path == "/.well-known/openid-configuration":
            return json.dumps(json.loads(content) | self.metadata).encode()
        if self.claims is None:
            return content
        if path == "/jwks":
            return json.dumps({"keys": [OUR_KEY.as_dict(private=False)]}).encode()
        if path == "/oauth2/token":
            token = json.loads(content)
            token["id_token"] = self._signed(token["id_token"])
            return json.dumps(token).encode()
        return content

    def _signed(self, id_token: str) -> str:
        payload = id_token.split(".")[1]
        old = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        claims = {name: value for name, value in (old | (self.claims or {})).items() if value}
        if self.header["alg"] == "none":
            parts = [json.dumps(each).encode() for each in (self.header, claims)]
            return ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts) + "."
        return jwt.encode(self.header, claims, self.signed_with)
