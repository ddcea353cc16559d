"""`Ticket`: a mask over a frozen random network; saves as a seed and some bits."""

from __future__ import annotations

import copy
import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from strongticket import canonical
from strongticket.errors import FileError, InputError
from strongticket.files import read_whole, write_whole
from strongticket.networks import MLP, Network
from strongticket.networks._network import DENSE_LIMIT
from strongticket.tickets import _buffers, _file
from strongticket.tickets._mask import Mask
from strongticket.tickets._reading import PLAIN, Reading

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, eq=False)
class Ticket:
    """A frozen random network and the mask that prunes it.

    `buffers` are the non-trained arrays of a user's model (norm statistics), copied and locked.
    `provenance` says in plain JSON values how the ticket was found; it is stored and otherwise
    not read. `reading` says what is done to kept weights (redrawn, multiplied, made binary);
    plain tickets do nothing.
    """

    network: Network
    mask: Mask
    buffers: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    reading: Reading = PLAIN

    def __post_init__(self) -> None:
        if set(self.mask) != set(self.network.masked):
            raise InputError(
                f"the mask must name the network's masked parameters "
                f"{sorted(self.network.masked)}, got {sorted(self.mask)}"
            )
        for name in self.mask:
            wanted, came = self.network[name].shape, self.mask[name].shape
            if wanted != came:
                raise InputError(f"the mask of {name} must have shape {wanted}, got {came}")
        if not isinstance(self.reading, Reading):
            raise InputError(f"reading must be a Reading, got {self.reading!r}")
        self.reading.check(self.mask)
        object.__setattr__(self, "buffers", _buffers.owned(self.buffers))
        if not isinstance(self.provenance, Mapping):
            raise InputError(f"provenance must be a mapping, got {self.provenance!r}")
        try:
            canonical.dumps(dict(self.provenance))
        except (TypeError, ValueError) as error:
            raise InputError(f"provenance must hold plain JSON values: {error}") from error
        object.__setattr__(self, "provenance", copy.deepcopy(dict(self.provenance)))

    def __reduce__(self) -> tuple[Any, ...]:  # made again, so that a copy's buffers are locked too
        return Ticket, (
            self.network,
            self.mask,
            dict(self.buffers),
            self.provenance,
            self.reading,
        )

    def __eq__(self, other: object) -> bool:
        """Equal networks, masks, readings and buffers."""
        if not isinstance(other, Ticket):
            return NotImplemented
        return (
            self.network == other.network
            and self.mask == other.mask
            and self.reading == other.reading
            and set(self.buffers) == set(other.buffers)
            and all(np.array_equal(b, other.buffers[n]) for n, b in self.buffers.items())
        )

    def __hash__(self) -> int:
        return hash(self.kept_digest)  # equal tickets may differ in provenance, so in ticket_id

    def kept_weights(self, name: str) -> NDArray[np.float32]:
        """The kept weights of a parameter in index order, float32; all where it is not masked.

        These are the effective weights: what `reading` does to them is done.
        """
        parameter = self.network[name]
        if name not in self.mask:
            return self.network.weights(name).reshape(-1)
        entries = self.mask[name]
        if not self.reading.plain:
            return self.reading.weights(self.network, name, entries.total, entries.indices())
        if entries.bits is not None and parameter.numel <= DENSE_LIMIT:
            weights: NDArray[np.float32] = self.network.weights(name)[entries.bits]
            return weights
        return parameter.law.weights_of(self.network.units_at(name, entries.indices()))

    @functools.cached_property
    def kept_digest(self) -> str:
        """SHA-256 of the kept weights: for each name in order, the name, a zero byte, float32s."""
        digest = hashlib.sha256()
        for name in sorted(p.name for p in self.network.parameters):
            digest.update(name.encode() + b"\0")
            digest.update(self.kept_weights(name).astype("<f4").tobytes())
        return digest.hexdigest()

    @functools.cached_property
    def description(self) -> dict[str, Any]:
        """What the file says of the ticket, in JSON values: network, digests, provenance."""
        more = {} if self.reading.plain else {"reading": _file.described(self.reading)}
        return {
            "format": _file.PLAIN_FORMAT if self.reading.plain else _file.FORMAT,
            **more,
            "network": self.network.spec(),
            "network_digest": self.network.digest,
            "kept_digest": self.kept_digest,
            "kept": {name: entries.kept for name, entries in self.mask.items()},
            "buffers": {
                name: {
                    "dtype": b.dtype.str,
                    "shape": list(b.shape),
                    "sha256": hashlib.sha256(b.tobytes()).hexdigest(),
                }
                for name, b in self.buffers.items()
            },
            "provenance": copy.deepcopy(dict(self.provenance)),
        }

    @functools.cached_property
    def ticket_id(self) -> str:
        """SHA-256 of the ticket's canonical description and its raw masks in name order."""
        return _file.identity(self.description, self.mask)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the ticket file, whole or not at all."""
        return write_whole(
            path, _file.to_bytes(self.description, self.mask, self.buffers, self.reading)
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Ticket:
        """Read a ticket file; FileError for one that is truncated, edited, foreign or newer."""
        where = str(path)
        contents = _file.from_bytes(read_whole(path), where)
        try:
            network = Network.from_spec(contents.ticket["network"])
            ticket = cls(
                network,
                contents.mask,
                contents.buffers,
                contents.ticket["provenance"],
                contents.reading,
            )
            digests = network.digest, ticket.kept_digest
        except (InputError, KeyError, TypeError) as error:
            raise FileError(f"{where} holds no ticket: {error}") from error
        if digests[0] != contents.ticket.get("network_digest"):
            raise FileError(f"{where}: the network's digest is not that of its weights")
        if digests[1] != contents.ticket.get("kept_digest"):
            raise FileError(f"{where}: the kept weights, made again, have another digest")
        if ticket.ticket_id != contents.ticket_id:
            raise FileError(f"{where} was edited: its description is not that of its contents")
        return ticket

    def module(self, limit: int = DENSE_LIMIT) -> nn.Module:
        """The pruned network as an ordinary module; InputError beyond `limit` weights.

        For tickets of a user's own model see `into`.
        """
        from strongticket.tickets import _modules

        if not isinstance(self.network.architecture, MLP):
            raise InputError(
                "module() builds the architectures that strongticket names; this ticket is of a "
                f"model {self.network.architecture.class_name}: make one and call into(model)"
            )
        total = sum(p.numel for p in self.network.parameters)
        if total > limit:
            raise InputError(
                f"the random network has {total:,} weights, more than the {limit:,} that are "
                "made at once; use compact(), which has equal outputs, or raise limit="
            )
        return _modules.full(self)

    def compact(self) -> nn.Module:
        """A smaller module with equal outputs: dead neurons gone, one-input layers gathered."""
        from strongticket.tickets import _modules

        if not isinstance(self.network.architecture, MLP):
            raise InputError("compact() is for the architectures that strongticket names")
        return _modules.compact(self)

    def into(self, model: nn.Module) -> nn.Module:
        """Fill a user's model with the pruned weights, constants and buffers; returns it.

        Raises InputError, before anything is written, unless the model has the parameters of the
        network and the buffers of the ticket, and no other buffer that its ``state_dict`` holds.
        """
        from strongticket.tickets import _modules

        return _modules.fill(self, model)

    def __repr__(self) -> str:
        more = "" if self.reading.plain else ", not plain"
        return (
            f"Ticket(seed={self.network.seed}, keeps {self.mask.kept:,} of {self.mask.total:,} "
            f"weights, density {self.mask.density:.4g}{more})"
        )
