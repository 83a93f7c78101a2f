"""The commands beside the download of ITEMs. The first word chooses one."""

from __future__ import annotations

from pathlib import Path

from downloads_client.delete_commands import DeleteCommand, RestoreCommand
from downloads_client.list_commands import FilesCommand, JobsCommand
from downloads_client.terminal_command import TerminalCommand
from downloads_client.upload_command import UploadCommand

COMMANDS: dict[str, type[TerminalCommand]] = {
    command.name: command
    for command in (UploadCommand, FilesCommand, JobsCommand, DeleteCommand, RestoreCommand)
}


def command_of(argv: list[str], run_json: Path) -> TerminalCommand | None:
    """Return the command that the arguments name; None if they are ITEMs. Raises UsageError."""
    command = COMMANDS.get(argv[0]) if argv else None
    return command(argv[1:], run_json=run_json) if command else None
