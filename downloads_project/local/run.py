"""`make run`: the whole service on this machine, its main job once before your eyes, then serving.

Keeps its data in `.stack/`. Every process it starts ends with it, however it ends; a process that
dies meanwhile is started again, as an init system would.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from urllib.parse import quote

import requests

from downloads_project.environment import MAX_PORT, Environment
from downloads_project.local.stack import Stack, is_free, write_secret
from downloads_project.processes import Process, StackError
from jobs import scanner as clamd
from jobs.errors import ScannerUnavailable

BASE = Path(__file__).resolve().parents[2]
env = Environment()
FOLDER = Path(env.str("STACK_FOLDER", default=str(BASE / ".stack"))).resolve()
RUN_JSON = FOLDER / "run.json"
MANAGE = str(BASE / "manage.py")
BIN = Path(sys.executable).parent
SHOWN_FILE_IDS = [str(70_000 + n) for n in range(14)]
SLOW_SECONDS = "10,120"  # what `SLOW=1` makes of SIMULATED_DELAY_SECONDS
HOST = "127.0.0.1"
# Where a clamd listens on Debian, and in a container whose port is published.
SCANNERS = ["unix:///run/clamav/clamd.ctl", "tcp://127.0.0.1:3310"]
SCANNER_SECONDS = 1  # until one has to answer


class Run:
    """The processes, and what they are told."""

    def __init__(self, *, port: int, slow: bool, reload: bool) -> None:
        self.url = f"http://{HOST}:{port}"
        self.port = port
        self.slow = slow  # jobs wait before they begin
        self.reload = reload
        self.stack = Stack(FOLDER, durable=True)
        self.processes: list[Process] = []

    def start(self) -> None:
        if not is_free(self.port):
            raise StackError(f"Port {self.port} is taken. Choose another: make run PORT=8001")
        began = time.monotonic()
        RUN_JSON.unlink(missing_ok=True)  # it tells scripts that the service is there
        servers = self.stack.start()
        say(f"Postgres, Redis and S3 are ready ({time.monotonic() - began:.1f} s)")
        servers |= find_scanner() | find_mail()
        servers["BASE_URL"] = env.str("BASE_URL", default=self.url)
        self._write_env(servers)
        self.logins = {
            "user": "demo",
            "password": self.stack.secrets["demo"],
            "operator": "operator",
            "operator_password": self.stack.secrets["operator"],
        }
        os.environ |= servers | {
            "PORT": str(self.port),
            "REMAP_SIGTERM": "SIGQUIT",
            "STACK_FOLDER": str(FOLDER),
            "WEB_STOPS_SECONDS": str(env.number("WEB_STOPS_SECONDS", 3)),
            "WORKER_STOPS_SECONDS": str(env.number("WORKER_STOPS_SECONDS", 3)),
        }
        if self.slow:
            os.environ.setdefault("SIMULATED_DELAY_SECONDS", SLOW_SECONDS)
        manage("migrate", "--verbosity=0")
        passwords = {
            "DEMO_PASSWORD": self.logins["password"],
            "OPERATOR_PASSWORD": self.logins["operator_password"],
        }
        say(manage("seed_demo", **passwords))
        for name, command in self._commands().items():
            self._spawn(name, command)
        web = self.processes[0]
        web.wait_until(lambda: requests.get(f"{self.url}/health", timeout=3).raise_for_status())
        say(f"web, worker and dispatcher are ready ({time.monotonic() - began:.1f} s)")
        write_secret(RUN_JSON, json.dumps({"url": self.url} | self.logins, indent=1))

    def _commands(self) -> dict[str, list[str]]:
        worker = "-A downloads_project worker --concurrency=2 --without-mingle --without-gossip"
        commands = {
            "web": [str(BIN / "gunicorn"), "-c", "python:downloads_project.gunicorn"],
            "worker": [str(BIN / "celery"), *worker.split(), "--loglevel=INFO"],
            "dispatcher": [sys.executable, MANAGE, "dispatcher"],
        }
        if self.reload:
            commands["web"].append("--reload")
            for name in ("worker", "dispatcher"):
                watched = " ".join(commands[name])
                commands[name] = [str(BIN / "watchfiles"), "--filter", "python", watched, "jobs"]
        return commands

    def _spawn(self, name: str, command: list[str]) -> None:
        # A reloader passes a gentle signal on to its child; the kernel's harsh one it could not.
        orphan = signal.SIGTERM if self.reload else signal.SIGKILL
        env = {"ROLE": name} | ({"DEBUG": "true"} if self.reload else {})
        process = Process(name, command, FOLDER / f"{name}.log", env, orphan_signal=orphan)
        process.start()
        self.processes.append(process)

    def show_main_job(self) -> int:
        """Act as a client; the exit status of that client."""
        folder = f"{FOLDER / 'downloads'}/"
        arguments = [*SHOWN_FILE_IDS, "--compare", "--force", "--output", folder]
        command = [sys.executable, MANAGE, "download", *arguments]
        # No stdin: on Ctrl-C everything ends, so there is nothing to ask.
        return subprocess.run(command, stdin=subprocess.DEVNULL).returncode

    def tell(self) -> None:
        who = self.logins
        rows = [
            ("Pages", "/", f"{who['user']} / {who['password']}"),
            ("Admin", "/admin/", f"{who['operator']} / {who['operator_password']}"),
            ("API", "/docs", "the same users, or a token from /v1/auth/token"),
            ("Health", "/health", "no sign-in"),
        ]
        say(
            "\n" + "\n".join(f"  {name:8}{self.url + path:34}{login}" for name, path, login in rows)
        )
        say(f"  {'Logs':8}{FOLDER.name}/*.log\n")

    def serve(self) -> None:
        """Until interrupted: start again what dies."""
        while True:
            time.sleep(0.5)
            for process in [*self.stack.processes, *self.processes]:
                if not process.is_alive:
                    say(f"{process.name} ended ({process.popen.returncode}); starting it again")
                    time.sleep(1)
                    process.start()

    def stop(self) -> None:
        RUN_JSON.unlink(missing_ok=True)
        for process in self.processes:
            process.ask_to_stop()
        for process in self.processes:
            process.end(15)
        self.stack.stop()

    def _write_env(self, servers: dict[str, str]) -> None:
        text = "".join(f"{name}={value}\n" for name, value in servers.items())
        write_secret(FOLDER / "env", text)


def manage(*arguments: str, **variables: str) -> str:
    """Run a management command; what it printed. Raises StackError with what it complained of.

    It alone has the variables in its environment.
    """
    command = [sys.executable, MANAGE, *arguments]
    env = os.environ | variables
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip() or "no reason given"
        if "Traceback (most recent call last)" in said:
            said = said.splitlines()[-1]  # the reason; what is no traceback is all reason
        raise StackError(f"`manage.py {' '.join(arguments)}` failed: {said}")
    return done.stdout.strip()


def find_scanner() -> dict[str, str]:
    """CLAMD, unless it is set: the virus scanner of this machine, or off. Says which."""
    if "CLAMD" in os.environ:
        return {}
    for address in SCANNERS:
        with suppress(ScannerUnavailable):
            clamd.ping(address, seconds=SCANNER_SECONDS)
            say(f"Uploads are scanned for viruses by {address}")
            return {"CLAMD": address}
    say("Uploads are not scanned for viruses: no clamd answers here (see CLAMD in .env.example)")
    return {"CLAMD": clamd.OFF}


def find_mail() -> dict[str, str]:
    """EMAIL_URL, unless it is set: mails are written to files. Says so."""
    if "EMAIL_URL" in os.environ:
        return {}
    folder = FOLDER / "mail"
    say(f"Mails are written to {folder.parent.name}/mail (see EMAIL_URL in .env.example)")
    return {"EMAIL_URL": f"filemail:///{quote(str(folder))}"}


def say(text: str) -> None:
    print(text, flush=True)


def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the job, with its status")
    parser.add_argument("--reload", action="store_true", help="reload when the code changes")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)  # also where a shell's `&` had SIGINT ignored
    port = env.number("PORT", 8000, maximum=MAX_PORT)
    run = Run(port=port, slow=env.flag("SLOW"), reload=options.reload)
    try:
        run.start()
        status = run.show_main_job()
        if not options.once:
            run.tell()
            say("Serving until Ctrl-C.")
            run.serve()
        return status
    except KeyboardInterrupt:
        say("\nStopping.")
        return 0
    except (StackError, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        run.stop()


if __name__ == "__main__":
    sys.exit(main())
