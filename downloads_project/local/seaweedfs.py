"""Protects the internal ports of SeaweedFS, which need no password, from other local users.

Its S3 port asks for keys. Behind that, its parts talk to each other by HTTP and gRPC at ports of
their own, and would take the same from anybody. See stack.py, which starts it.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path

from downloads_project.processes import StackError

# Refuses HTTP at the master and the filer, where SeaweedFS itself needs only gRPC.
OPTIONS = ["-disableHttp=true"]
SIGNED = ["jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read"]
PARTS = ["master", "volume", "filer", "s3", "client", "admin", "worker"]
NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost"


def write_seaweedfs_security(home: Path) -> None:
    """Write the keys with which the components authenticate each other; new at each start.

    `home` is the HOME of the process. Without the program `openssl`, gRPC stays open to who has an
    account on this machine; HTTP does not.
    """
    folder = home / ".seaweedfs"
    folder.mkdir(0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    text = "".join(f'[{name}]\nkey = "{secrets.token_urlsafe(24)}"\n' for name in SIGNED)
    if openssl := shutil.which("openssl"):
        text += _certified(openssl, folder)
    (folder / "security.toml").write_text(text)


def _certified(openssl: str, folder: Path) -> str:
    """Create the certificate that the components present to each other."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "3650", "-subj", "/CN=localhost", "-addext", NAMES]
    command += ["-keyout", str(key), "-out", str(certificate)]
    made = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    if made.returncode:
        raise StackError(f"openssl created no certificate: {made.stderr.strip()[-300:]}")
    files = f'cert = "{certificate}"\nkey = "{key}"\n'
    return f'[grpc]\nca = "{certificate}"\n' + "".join(f"[grpc.{part}]\n{files}" for part in PARTS)
