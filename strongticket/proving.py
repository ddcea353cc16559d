"""The main job in one call: a target becomes a certified, rechecked ticket, with every number."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from strongticket import files
from strongticket.errors import ClaimError, FileError
from strongticket.targets import Target
from strongticket.theorems import Theorem
from strongticket.tickets import Ticket
from strongticket.verify import (
    Certificate,
    Recheck,
    RefutedError,
    UnreadableError,
    attack,
    certify,
    recheck,
)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Proof:
    """What was asked, what was built, and what was proved of it.

    `widths` are the random network's; `pools` the hidden neurons an input that the theorem asks
    for, `candidates_read` how many of them were looked at, `live_neurons` how many stay after
    pruning, one entry a target layer. `seconds` has one entry a stage.
    """

    theorem: str
    epsilon: float
    delta: float
    target_widths: tuple[int, ...]
    target_parameters: int
    widths: tuple[int, ...]
    random_weights: int
    pools: tuple[int, ...]
    candidates_read: tuple[int, ...]
    live_neurons: tuple[int, ...]
    kept_weights: int
    bound: float
    lower_bound: float
    holds: bool
    rechecked: bool
    ticket_file: Path
    ticket_bytes: int
    certificate_file: Path
    certificate_bytes: int
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            key: str(value) if isinstance(value, Path) else value
            for key, value in asdict(self).items()
        }


def prove(
    theorem: Theorem,
    target: Target,
    *,
    epsilon: float,
    delta: float,
    seed: int,
    folder: Path,
    name: str,
    starts: int = 200,
    steps: int = 200,
    progress: Progress | None = None,
    **options: Any,
) -> tuple[Ticket, Certificate, Proof]:
    """Construct a ticket at the theorem's width, certify it, attack it, write and recheck both.

    Writes ``<name>.safetensors`` and ``<name>.proof.json`` into `folder`. `options` go to the
    construction (its objective, say). Raises FileError before any work where the folder takes no
    files, ClaimError where the certificate is not confirmed, and what `construct` raises.
    """
    files.folder(folder)
    report = progress or (lambda *_: None)
    clock = _Clock()
    network = theorem.network(target, epsilon=epsilon, delta=delta, seed=seed)
    ticket = theorem.construct(network, target, epsilon=epsilon, progress=progress, **options)
    clock.lap("construct")
    report("certify", 0, 0)
    certificate = certify(ticket, target, epsilon)
    clock.lap("certify")
    found = attack(
        ticket,
        target,
        starts=starts,
        steps=steps,
        seed=seed,
        layers=certificate.layers,
        progress=progress,
    )
    clock.lap("attack")
    report("save", 0, 0)
    ticket_file = ticket.save(folder / f"{name}.safetensors")
    certificate_file = certificate.save(folder / f"{name}.proof.json")
    clock.lap("save")
    report("recheck", 0, 0)
    confirmed = confirm(certificate_file, target)
    clock.lap("recheck")
    layers = ticket.provenance["layers"]
    proof = Proof(
        theorem=theorem.key,
        epsilon=epsilon,
        delta=delta,
        target_widths=target.widths,
        target_parameters=target.parameters,
        widths=network.architecture.widths,  # type: ignore[union-attr]
        random_weights=sum(p.numel for p in network.parameters),
        pools=tuple(layer["pool"] for layer in layers),
        candidates_read=tuple(layer["candidates_read"] for layer in layers),
        live_neurons=tuple(layer["live_neurons"] for layer in layers),
        kept_weights=ticket.mask.kept,
        bound=certificate.bound,
        lower_bound=found.distance,
        holds=certificate.holds,
        rechecked=confirmed.bound == certificate.exact_bound,
        ticket_file=ticket_file,
        ticket_bytes=ticket_file.stat().st_size,
        certificate_file=certificate_file,
        certificate_bytes=certificate_file.stat().st_size,
        seconds=clock.laps,
    )
    return ticket, certificate, proof


def confirm(certificate: Path, target: Target | None = None) -> Recheck:
    """`verify.recheck` with strongticket's own errors: FileError, or ClaimError for a false claim.

    The checker imports nothing of strongticket, so it has errors of its own.
    """
    try:
        return recheck(certificate, target)
    except UnreadableError as error:
        raise FileError(str(error)) from error
    except RefutedError as error:
        raise ClaimError(f"{certificate}: {error}") from error


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now
