"""The files of a resumable lottery: one a round, whole or absent, all of one run."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from strongticket import canonical
from strongticket.errors import FileError, InputError
from strongticket.files import folder as made
from strongticket.files import read_whole, write_whole
from strongticket.training import History

FORMAT = "strongticket/lottery/v1"

# What torch.load raises for bytes that are cut short, edited, or of something else.
_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)


class Rounds:
    """The folder of one run: ``start.pt`` and ``round-000.pt``, ``round-001.pt``, ...

    Each file carries the run's digest: SHA-256 of the settings and of the initial state. A file
    of another run is refused, as is one that cannot be read.
    """

    def __init__(
        self, folder: str | os.PathLike[str], initial: Mapping[str, Tensor], settings: Any
    ) -> None:
        self._folder = made(folder)
        self._run = canonical.sha256(canonical.dumps(settings), _digest(initial))

    def start(self) -> dict[str, Tensor] | None:
        """The state that rounds go back to, or None where no run has begun."""
        found = self._read("start.pt")
        return None if found is None else found["state"]

    def save_start(self, state: Mapping[str, Tensor]) -> None:
        """Begin a run."""
        self._write("start.pt", {"state": dict(state)})

    def load(self, index: int, masks: Mapping[str, Tensor]) -> tuple[Any, dict[str, Tensor]] | None:
        """History and final state of a finished round, or None."""
        found = self._read(_name(index))
        if found is None:
            return None
        if found["masks"] != _digest(masks).hex():
            raise FileError(
                f"{self._folder / _name(index)} was made under other masks than the rounds before "
                "it lead to; delete it and those after it"
            )
        history = found["history"]
        if isinstance(history, Mapping) and set(history) == {"strongticket history"}:
            history = History.from_spec(history["strongticket history"])
        return history, found["final"]

    def save(
        self, index: int, masks: Mapping[str, Tensor], history: Any, final: Mapping[str, Tensor]
    ) -> None:
        """Keep a finished round."""
        plain = (
            {"strongticket history": history.spec()} if isinstance(history, History) else history
        )
        contents = {"masks": _digest(masks).hex(), "history": plain, "final": dict(final)}
        self._write(_name(index), contents)

    def _write(self, name: str, contents: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save({"format": FORMAT, "run": self._run, **contents}, buffer)
        data = buffer.getvalue()
        try:
            torch.load(io.BytesIO(data), weights_only=True)
        except pickle.UnpicklingError as error:
            raise InputError(
                "a history that is kept in a folder must be a History or made of numbers, strings, "
                f"None, tensors, lists, tuples and dicts, so that it can be read safely: {error}"
            ) from error
        write_whole(self._folder / name, data)

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self._folder / name
        if not path.exists():
            return None
        data = read_whole(path)
        try:
            found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            if found["format"] != FORMAT:
                raise KeyError("format")
        except _UNREADABLE as error:
            raise FileError(
                f"{path} is no file of a lottery, or damaged; delete it, and what it held is "
                "trained again"
            ) from error
        if found["run"] != self._run:
            raise FileError(
                f"{path} is of another run: the initial weights or the arguments differ; give "
                "another folder, or delete this one"
            )
        return dict(found)


def _name(index: int) -> str:
    return f"round-{index:03d}.pt"


def _digest(tensors: Mapping[str, Tensor]) -> bytes:
    """SHA-256 of names, types, shapes and bytes, in name order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.digest()
