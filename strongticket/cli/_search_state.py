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
HEAD = b"strongticket search state 1\n"  # then the SHA-256 of the rest, which torch's zip is


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
        start = len(HEAD) + hashlib.sha256().digest_size
        body = memoryview(data)[start:]
        # torch.load does not look at checksums: a bit that flipped would change what is found.
        if data[:start] != HEAD + hashlib.sha256(body).digest():
            raise FileError(
                f"{self.path} holds no search to resume from, or is damaged; name another file, "
                "or remove it"
            )
        found = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
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
        body = file.getvalue()
        write_whole(self.path, HEAD + hashlib.sha256(body).digest() + body)
        self._last = time.monotonic()


def digest(data: Images) -> str:
    """SHA-256 of the training images and labels."""
    whole = hashlib.sha256(data.train_x.tobytes())
    whole.update(data.train_y.tobytes())
    return whole.hexdigest()
