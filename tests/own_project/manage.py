#!/usr/bin/env python
"""The command line of the team's project, as Django makes it."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "team.settings")
    execute_from_command_line(sys.argv)
