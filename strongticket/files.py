"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from strongticket.errors import FileError


def ready(path: str | os.PathLike[str]) -> Path:
    """The path of a file to be written, once it is sure that its folder takes files.

    Long work calls this first; FileError where `write_whole` would fail at the end.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileError(f"cannot write {target}: there is no folder {target.parent}; make it first")
    if target.is_dir():
        raise FileError(f"cannot write {target}: it is a folder; give the name of a file")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise FileError(f"cannot write {target}: the folder {target.parent} is not writable")
    return target


def folder(path: str | os.PathLike[str]) -> Path:
    """A folder for files to be written, made where there is none; FileError where it cannot be."""
    place = Path(path)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {place}: {error.strerror}") from error
    ready(place / "file")
    return place


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write `data` to `path` through a temporary file beside it: no reader sees half a file."""
    target = ready(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise FileError(f"cannot write {target}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes private files
        Path(temporary).replace(target)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise FileError(f"cannot write {target}: {error.strerror}") from error
        raise
    return target


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a file; FileError where there is none to read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {Path(path)}: {error.strerror}") from error
