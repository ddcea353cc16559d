"""A search from the command line, kept in a file now and then, so that it can go on from there."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strongticket.errors import FileError, InputError

if TYPE_CHECKING:
    from strongticket.datasets import Images

EVERY = 60.0  # seconds between two states within an epoch
PARTS = frozenset({"asked", "epoch", "batch", "order", "temperature", "before", "seconds"})


@dataclass
class Kept:
    """The file of a search's state; without a path nothing is kept.

    `asked` is all that decides what the search finds: a state of another one is refused.
    """

    path: Path | None
    asked: Mapping[str, Any]
    _last: float = field(default_factory=time.monotonic)

    def load(self) -> dict[str, Any] | None:
        """The state in the file; None where there is no file yet."""
        import torch

        from strongticket.files import read_whole, ready

        if self.path is None:
            return None
        ready(self.path)
        if not self.path.exists():
            return None
        data = read_whole(self.path)
        try:
            found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            fits = isinstance(found, dict) and PARTS | {"search", "schedule"} <= set(found)
        except Exception:  # a file of any other kind may raise anything
            fits = False
        if not fits:
            raise FileError(
                f"{self.path} holds no search to resume from; name another file, or remove it"
            )
        for key, wanted in self.asked.items():
            if (came := found["asked"].get(key)) != wanted:
                raise InputError(
                    f"{self.path} is of a search with {key} {came!r}, this one has {wanted!r}; "
                    "ask for the same, or name another file"
                )
        state: dict[str, Any] = found
        return state

    def due(self, last: bool) -> bool:
        """Whether to save now: after the last step of an epoch, and where a minute has passed."""
        return self.path is not None and (last or time.monotonic() - self._last > EVERY)

    def save(self, state: Mapping[str, Any]) -> None:
        """Write the state, whole or not at all."""
        import torch

        from strongticket.files import write_whole

        assert self.path is not None, "a state is due only where there is a file"
        file = io.BytesIO()
        torch.save({"asked": dict(self.asked), **state}, file)
        write_whole(self.path, file.getvalue())
        self._last = time.monotonic()


def digest(data: Images) -> str:
    """SHA-256 of the training images and labels."""
    whole = hashlib.sha256(data.train_x.tobytes())
    whole.update(data.train_y.tobytes())
    return whole.hexdigest()
