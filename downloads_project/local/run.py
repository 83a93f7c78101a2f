"""`make run`: start the whole service on this machine, run a sample job, then serve.

Keeps its data in `.stack/`. All its child processes end when it ends, even if it is killed. A child
that dies is restarted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

import requests

from downloads_project.local.discovery import discover_mail, discover_scanner
from downloads_project.local.ports import is_free
from downloads_project.local.sample_job import run_sample_job
from downloads_project.local.stack import Stack, write_stack_secret
from downloads_project.processes import Process, StackError
from jobs.lib.environment import MAX_PORT, Environment

BASE = Path(__file__).resolve().parents[2]
env = Environment()
FOLDER = Path(env.str("STACK_FOLDER", default=str(BASE / ".stack"))).resolve()
RUN_JSON = FOLDER / "run.json"
MANAGE = str(BASE / "manage.py")
BIN = Path(sys.executable).parent
SLOW_SECONDS = "10,120"  # SIMULATED_DELAY_SECONDS with `SLOW=1`
HOST = "127.0.0.1"


def folders_of_apps() -> list[str]:
    """Return the folders of the packages in APPS, whose code is reloaded too."""
    packages = dict.fromkeys(path.partition(".")[0] for path in env.modules("APPS"))
    specs = [find_spec(package) for package in packages]
    return [folder for spec in specs if spec for folder in spec.submodule_search_locations or []]


class LocalRun:
    """The processes of the service and their environment."""

    def __init__(self, *, port: int, slow: bool, reload: bool) -> None:
        self.url = f"http://{HOST}:{port}"
        self.port = port
        self.slow = slow  # jobs wait before they begin
        self.reload = reload
        self.stack = Stack(FOLDER, durable=True)
        self.processes: list[Process] = []
        self.logins: dict[str, str] = {}  # of the demo's two users, once it has started

    def start(self) -> None:
        if not is_free(self.port):
            raise StackError(f"Port {self.port} is taken. Choose another: make run PORT=8001")
        began = time.monotonic()
        RUN_JSON.unlink(missing_ok=True)  # scripts take the service for running if it exists
        servers = self.stack.start()
        say(f"Postgres, Redis and S3 are ready ({time.monotonic() - began:.1f} s)")
        servers |= discover_scanner() | discover_mail(FOLDER / "mail")
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
        run_manage("migrate", "--verbosity=0")
        passwords = {
            "DEMO_PASSWORD": self.logins["password"],
            "OPERATOR_PASSWORD": self.logins["operator_password"],
        }
        say(run_manage("seed_demo", **passwords))
        for name, command in self._commands().items():
            self._spawn(name, command)
        web = self.processes[0]
        web.wait_until(lambda: requests.get(f"{self.url}/health", timeout=3).raise_for_status())
        say(f"web, worker and dispatcher are ready ({time.monotonic() - began:.1f} s)")
        write_stack_secret(RUN_JSON, json.dumps({"url": self.url} | self.logins, indent=1))

    def _commands(self) -> dict[str, list[str]]:
        worker = "-A downloads_project worker --concurrency=2 --without-mingle --without-gossip"
        commands = {
            "web": [str(BIN / "gunicorn"), "-c", "python:downloads_project.gunicorn"],
            "worker": [str(BIN / "celery"), *worker.split(), "--loglevel=INFO"],
            "dispatcher": [sys.executable, MANAGE, "dispatcher"],
        }
        if self.reload:
            commands["web"].append("--reload")
            watchfiles = [str(BIN / "watchfiles"), "--filter", "python"]
            for name in ("worker", "dispatcher"):
                commands[name] = [*watchfiles, " ".join(commands[name]), "jobs", *folders_of_apps()]
        return commands

    def _spawn(self, name: str, command: list[str]) -> None:
        # A reloader forwards SIGTERM to its child; it could not forward SIGKILL.
        orphan = signal.SIGTERM if self.reload else signal.SIGKILL
        env = {"ROLE": name} | ({"DEBUG": "true"} if self.reload else {})
        process = Process(name, command, FOLDER / f"{name}.log", env, orphan_signal=orphan)
        process.start()
        self.processes.append(process)

    def print_addresses(self) -> None:
        logins = self.logins
        rows = [
            ("Pages", "/", f"{logins['user']} / {logins['password']}"),
            ("Admin", "/admin/", f"{logins['operator']} / {logins['operator_password']}"),
            ("API", "/docs", "the same users, or a token from /v1/auth/token"),
            ("Health", "/health", "no sign-in"),
        ]
        say(
            "\n" + "\n".join(f"  {name:8}{self.url + path:34}{login}" for name, path, login in rows)
        )
        say(f"  {'Logs':8}{os.path.relpath(FOLDER)}/*.log\n")

    def serve(self) -> None:
        """Restart processes that die, until interrupted."""
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
        write_stack_secret(FOLDER / "env", text)


def run_manage(*arguments: str, **variables: str) -> str:
    """Run a management command and return its output. Raises StackError with its error message.

    Only this command gets the variables in its environment.
    """
    command = [sys.executable, MANAGE, *arguments]
    env = os.environ | variables
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip() or "no reason given"
        if "Traceback (most recent call last)" in reason:
            reason = reason.splitlines()[-1]
        raise StackError(f"`manage.py {' '.join(arguments)}` failed: {reason}")
    return done.stdout.strip()


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
    service = LocalRun(port=port, slow=env.flag("SLOW"), reload=options.reload)
    try:
        service.start()
        if service.slow and not options.once:
            service.print_addresses()  # the sample job takes minutes
        status = run_sample_job(service.url, service.logins, FOLDER / "downloads")
        if not options.once:
            if not service.slow:
                service.print_addresses()
            say("Serving until Ctrl-C.")
            service.serve()
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
        service.stop()


if __name__ == "__main__":
    sys.exit(main())
