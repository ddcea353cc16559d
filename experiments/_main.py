"""What the commands of the experiments share: where files go, errors, claims and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from strongticket.cli import show
from strongticket.errors import InputError, StrongticketError
from strongticket.files import folder

ROOT = Path(__file__).parents[1]


class Stored(Protocol):
    """The part of a configuration that says where files go."""

    @property
    def out(self) -> Path: ...
    @property
    def publish(self) -> bool: ...


def places(config: Stored) -> tuple[Path, Path]:
    """The folders of tables and of figures, made: the repository's to publish, else `out` twice.

    FileError where a folder cannot be made or written to.
    """
    if not config.publish:
        return (out := folder(config.out)), out
    return folder(ROOT / "experiments" / "results"), folder(ROOT / "docs" / "figures")


def refused(error: StrongticketError) -> int:
    """Print the error; the exit code is 2 where the input was at fault and 1 otherwise."""
    sys.stderr.write(f"error: {error}\n")
    return 2 if isinstance(error, InputError) else 1


def judged(claims: Sequence[tuple[str, bool, str]]) -> int:
    """Print (claim, whether it stands, what was measured); the exit code is 1 where one falls."""
    rows = [(name, "stands" if ok else "FALLS", text) for name, ok, text in claims]
    show.table("claims", ("claim", "", "measured"), rows)
    return 0 if all(ok for _, ok, _ in claims) else 1
