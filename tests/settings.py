"""The settings of processes that tests start.

The variable `CONSTANTS` is a JSON object of settings without a variable of their own.
"""

import json
import os

from downloads_project.settings import *  # noqa: F403
from downloads_project.settings import INSTALLED_APPS

if "SABOTAGE_FOLDER" in os.environ:
    INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.sabotage.Sabotage"]
globals().update(json.loads(os.environ.get("CONSTANTS", "{}")))
