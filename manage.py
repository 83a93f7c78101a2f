#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys

from jobs.lib.process_memory import hide_process_memory


def main() -> None:
    hide_process_memory()  # which has every secret, whatever the command
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "downloads_project.settings")
    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(130)  # as shells count it; nobody who pressed Ctrl-C wants a traceback
    except (Exception, SystemExit) as error:
        is_ours = isinstance(error, Exception) or hasattr(error, "sentence")  # environment.py's
        if sys.argv[1:2] != ["download"] or not is_ours:
            raise
        from downloads_client.outcome import cannot_start_outcome

        # Python's own exit code is that of a failed job.
        sys.exit(cannot_start_outcome(error, sys.argv))


if __name__ == "__main__":
    main()
