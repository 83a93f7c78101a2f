"""Why an upload has no previews."""

from __future__ import annotations

from jobs.errors.build_errors import BuildError


class ProcessingError(BuildError):
    """Previews of an upload could not be made, or not all. The upload completes without them.

    The message is for the owner; the cause has the error of the reader. `code` is one of
    PREVIEW_CODES.
    """

    code = "file_unreadable"
    meaning = "The file is damaged, incomplete, or not of the type it claims to be."


class FileUnreadable(ProcessingError):
    pass


class FileEncrypted(ProcessingError):
    code = "file_encrypted"
    meaning = "The file is protected by a password."


class PictureTooLarge(ProcessingError):
    code = "picture_too_large"
    meaning = "The picture has too many pixels."


class FileTooComplex(ProcessingError):
    code = "file_too_complex"
    meaning = "Reading it takes too much memory, time or disk space, or crashes."


class FileTooLarge(ProcessingError):
    code = "file_too_large"
    meaning = "The file is too large for previews."


class NothingToShow(ProcessingError):
    code = "nothing_to_show"
    meaning = "The file has nothing to show, such as a video with sound only."


class NoReader(ProcessingError):
    code = "no_reader"
    meaning = "The program that reads such files is not installed on the server."
