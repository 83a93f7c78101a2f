"""The settings of processes that tests start.

The variable `CONSTANTS` is a JSON object of settings without a variable of their own.
"""

import json
import os

from downloads_project.settings import *  # noqa: F403
from downloads_project.settings import INSTALLED_APPS
from tests.logs import keep_tracebacks_plain

if "SABOTAGE_FOLDER" in os.environ:
    INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.sabotage.Sabotage"]
keep_tracebacks_plain()
globals().update(json.loads(os.environ.get("CONSTANTS", "{}")))
