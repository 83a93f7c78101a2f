"""`downloads`, or `python -m downloads_client`: the client as a program of its own."""

from __future__ import annotations

import sys

from downloads_client.arguments import make_parser
from downloads_client.command import DownloadCommand, report_usage_error
from downloads_client.failures import INTERRUPTED, UsageError
from downloads_client.login import default_run_json
from downloads_client.outcome import cannot_start
from downloads_client.streams import open_missing_streams


def main(invocation: list[str] | None = None) -> int:
    """Return the exit code. `invocation` are the words that start this program."""
    argv = sys.argv[1:]
    try:
        open_missing_streams()
        options = vars(make_parser().parse_args(argv))
        words = invocation or [sys.argv[0]]
        return DownloadCommand(options, invocation=words, run_json=default_run_json()).run()
    except UsageError as error:
        return report_usage_error(error, argv)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return cannot_start(error, argv)


if __name__ == "__main__":
    sys.exit(main([sys.orig_argv[0], "-m", "downloads_client"]))
