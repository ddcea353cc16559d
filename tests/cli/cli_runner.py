"""What the tests of the command line share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from strongticket.targets import Box, Target
from strongticket.theorems import pensia2020
from strongticket.tickets import Ticket
from strongticket.verify import Certificate, certify

EPSILON = 0.05


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


class Runner(Protocol):
    """Runs `strongticket ARGUMENTS`."""

    def __call__(self, *arguments: str | Path) -> Outcome: ...


@dataclass(frozen=True)
class Made:
    """Files, and the values in them."""

    target_file: Path
    ticket_file: Path
    certificate_file: Path
    target: Target
    ticket: Ticket
    certificate: Certificate


def layers(seed: int = 0) -> list[tuple[NDArray[np.float32], NDArray[np.float32] | None]]:
    """A 4-5-3 target with a bias in its first layer."""
    random = np.random.default_rng(seed)

    def draw(*shape: int) -> NDArray[np.float32]:
        return random.uniform(-0.6, 0.6, shape).astype(np.float32)

    return [(draw(5, 4), draw(5)), (draw(3, 5), None)]


def make(folder: Path) -> Made:
    """The files that construct and certify would write, made by Python calls."""
    target = Target(layers(), Box(0.0, 1.0))
    theorem = pensia2020.EXPLICIT
    network = theorem.network(target, epsilon=EPSILON, delta=0.01, seed=0)
    ticket = theorem.construct(network, target, epsilon=EPSILON)
    certificate = certify(ticket, target, EPSILON)
    return Made(
        target.save(folder / "target.safetensors"),
        ticket.save(folder / "ticket.safetensors"),
        certificate.save(folder / "proof.json"),
        target,
        ticket,
        certificate,
    )


def state_dict(path: Path, arrays: Mapping[str, Any]) -> Path:
    """A plain state dict: .pt by torch, else safetensors."""
    if path.suffix == ".pt":
        import torch

        torch.save({name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}, path)
    else:
        from safetensors.numpy import save_file

        save_file({name: np.asarray(a, np.float32) for name, a in arrays.items()}, path)
    return path


def named(
    pairs: list[tuple[NDArray[np.float32], NDArray[np.float32] | None]], name: str = "layers.{}"
) -> dict[str, NDArray[np.float32]]:
    """Layers as the entries of a state dict."""
    found = {}
    for i, (w, b) in enumerate(pairs):
        found[f"{name.format(i)}.weight"] = w
        if b is not None:
            found[f"{name.format(i)}.bias"] = b
    return found
