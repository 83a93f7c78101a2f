"""`downloads`, or `python -m downloads_client`: the client as a program of its own."""

from __future__ import annotations

import sys

from downloads_client.arguments import make_parser
from downloads_client.command import DownloadCommand, report_command_usage
from downloads_client.commands import command_of
from downloads_client.failures import INTERRUPTED, UsageError
from downloads_client.login import default_login_file
from downloads_client.outcome import cannot_start_outcome
from downloads_client.streams import open_missing_streams


def main(invocation: list[str] | None = None) -> int:
    """Return the exit code. `invocation` are the words that start this program."""
    argv = sys.argv[1:]
    try:
        open_missing_streams()
        if command := command_of(argv, default_login_file()):
            return command.run()
        options = vars(make_parser().parse_args(argv))
        words = invocation or [sys.argv[0]]
        return DownloadCommand(options, invocation=words, run_json=default_login_file()).run()
    except UsageError as error:
        return report_command_usage(error, argv)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return cannot_start_outcome(error, argv)


if __name__ == "__main__":
    sys.exit(main([sys.orig_argv[0], "-m", "downloads_client"]))
