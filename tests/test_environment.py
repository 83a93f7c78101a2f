"""An invalid environment variable stops each process with a message."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from downloads_project.local.ports import free_ports
from jobs.lib.environment import BadSetting, Environment
from tests.live import BIN, ROOT

FLAG = "{name} is {value!r}, which is neither true nor false. Set {name} to true or false."
LEASE = (
    "LEASE_SECONDS is '60s', which is not a whole number from 4."
    " Set LEASE_SECONDS to a whole number from 4, such as 60."
)
PORT = (
    "PORT is 'abc', which is not a whole number from 0 to 65535."
    " Set PORT to a whole number from 0 to 65535, such as 8000."
)


class Variables(Environment):
    ENVIRON = {}


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Variables:
    monkeypatch.setattr(Variables, "ENVIRON", {})
    return Variables()


@pytest.mark.parametrize("value", ["ture", "TRUE!", "2", "enabled", "'true'"])
def test_misspelt_flag_is_refused(env: Variables, value: str) -> None:
    env.ENVIRON["DEBUG"] = value

    with pytest.raises(BadSetting) as refused:
        env.flag("DEBUG")

    assert str(refused.value) == FLAG.format(name="DEBUG", value=value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((word, True) for word in ("true", "TRUE", " True ", "1", "yes", "on")),
        *((word, False) for word in ("false", "False\r", "0", "no", "off", "")),
    ],
)
def test_flags_can_be_written_in_several_ways(env: Variables, value: str, expected: bool) -> None:
    env.ENVIRON["DEBUG"] = value
    assert env.flag("DEBUG") is expected


@pytest.mark.parametrize("value", ["60s", "two", "1.5", "-1", "1,000", "nan", "0x10"])
def test_whole_number_is_refused(env: Variables, value: str) -> None:
    env.ENVIRON["LEASE_SECONDS"] = value

    with pytest.raises(BadSetting, match="not a whole number from 0"):
        env.number("LEASE_SECONDS", 60)


@pytest.mark.parametrize("value", ["1s", "nan", "inf", "-0.5", "1,5"])
def test_number_with_decimals_is_refused(env: Variables, value: str) -> None:
    env.ENVIRON["BEAT_SECONDS"] = value

    with pytest.raises(BadSetting, match="not a number from 0"):
        env.number("BEAT_SECONDS", 1.0)


def test_numbers_can_be_written_in_several_ways(env: Variables) -> None:
    env.ENVIRON |= {"WHOLE": " 90 ", "DECIMAL": "2", "EMPTY": "", "LIST": "80, 443,"}

    assert env.number("WHOLE", 60) == 90
    assert repr(env.number("DECIMAL", 1.0)) == "2.0"
    assert env.number("EMPTY", 60) == env.number("MISSING", 60) == 60
    assert env.numbers("LIST", [8080]) == [80, 443]
    assert env.numbers("EMPTY", [8080]) == [8080]


def test_one_wrong_number_of_a_list_is_refused(env: Variables) -> None:
    env.ENVIRON["REMOTE_PORTS"] = "80,http"

    with pytest.raises(BadSetting, match="REMOTE_PORTS is 'http'"):
        env.numbers("REMOTE_PORTS", [80])


def test_unknown_word_is_refused(env: Variables) -> None:
    env.ENVIRON["ROLE"] = "wbe"

    with pytest.raises(BadSetting) as refused:
        env.choice("ROLE", ["web", "worker"], "web")

    assert str(refused.value) == "ROLE is 'wbe', which is unknown. Set ROLE to one of web, worker."


WEB = [BIN / "gunicorn", "-c", "python:downloads_project.gunicorn"]
WORKER = [BIN / "celery", "-A", "downloads_project", "worker", "--concurrency=1"]
DISPATCHER = [sys.executable, ROOT / "manage.py", "dispatcher"]
COMMAND = [sys.executable, ROOT / "manage.py", "check"]
RUN = [sys.executable, "-m", "downloads_project.local.run"]


@pytest.mark.parametrize(
    ("command", "variables", "sentence"),
    [
        (WEB, {"DEBUG": "ture"}, FLAG.format(name="DEBUG", value="ture")),
        (WEB, {"LEASE_SECONDS": "60s"}, LEASE),
        (WEB, {"WEB_PROCESSES": "two"}, "WEB_PROCESSES is 'two', which is not a whole number"),
        (WEB, {"PORT": "abc"}, PORT),
        (WORKER, {"LEASE_SECONDS": "60s"}, LEASE),
        (DISPATCHER, {"PRODUCTION": "ture"}, FLAG.format(name="PRODUCTION", value="ture")),
        (COMMAND, {"LEASE_SECONDS": "60s"}, LEASE),
        (RUN, {"PORT": "abc"}, PORT),
        (RUN, {"SLOW": "maybe"}, FLAG.format(name="SLOW", value="maybe")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_process_stops(
    tmp_path: Path, command: list[str | Path], variables: dict[str, str], sentence: str
) -> None:
    usual = {"ENV_FILES": "", "STACK_FOLDER": str(tmp_path)}
    usual["PORT"] = str(next(free_ports(str(tmp_path))))

    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | usual | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 3
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
