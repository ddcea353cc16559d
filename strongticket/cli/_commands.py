"""The commands. Each imports what it needs when it runs, so that ``--help`` stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import Positional

from strongticket.cli import show
from strongticket.cli._demo import Demo
from strongticket.cli._search import Search
from strongticket.cli._theorems import Check, Theorems

if TYPE_CHECKING:
    from strongticket.targets import Target as TargetValue

Objectives = Literal["best", "sparsest", "lightest", "within"]


@dataclass(frozen=True)
class TargetFile:
    """Where the target is and which inputs count."""

    target: Path
    """Target: a file of Target.save, or a state dict (.safetensors, .pt) of Linear layers."""
    low: float | None = None
    """Least input coordinate, where the file does not say it."""
    high: float | None = None
    """Largest input coordinate, where the file does not say it."""

    def load(self) -> TargetValue:
        """Read the target."""
        from strongticket.errors import InputError
        from strongticket.targets import Box, Target

        if (self.low is None) != (self.high is None):
            raise InputError("give both --low and --high, or neither")
        if self.low is None or self.high is None:
            return Target.load(self.target)
        return Target.load(self.target, Box(self.low, self.high))


@dataclass(frozen=True)
class Construct:
    """Prune a random network of the theorem's width down to a target."""

    file: tyro.conf.OmitArgPrefixes[TargetFile]
    epsilon: float = 0.05
    """Accuracy over the whole domain."""
    delta: float = 0.01
    """Failure probability of the random network."""
    seed: int = 0
    """Seed of the random network."""
    objective: Objectives = "best"
    """What a subset is chosen for: least error, size, magnitude, or any within accuracy."""
    out: Path = Path("ticket.safetensors")
    """Where the ticket goes."""
    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """Draw, construct, save."""
        from strongticket import subsetsum
        from strongticket.files import ready
        from strongticket.theorems import pensia2020

        ready(self.out)

        target, theorem = self.file.load(), pensia2020.EXPLICIT
        verbs = {
            "best": subsetsum.best,
            "sparsest": subsetsum.sparsest,
            "lightest": subsetsum.lightest,
            "within": subsetsum.within,
        }
        network = theorem.network(target, epsilon=self.epsilon, delta=self.delta, seed=self.seed)
        with show.progress(quiet=self.json) as progress:
            ticket = theorem.construct(
                network,
                target,
                epsilon=self.epsilon,
                objective=verbs[self.objective],
                progress=progress,
            )
        ticket.save(self.out)
        if self.json:
            show.as_json({"ticket": self.out, "id": ticket.ticket_id, **ticket.provenance})
        else:
            show.table(
                f"{ticket} -> {self.out}",
                ("layer", "hidden an input", "read", "live", "kept"),
                [
                    (i + 1, x["pool"], x["candidates_read"], x["live_neurons"], x["kept"])
                    for i, x in enumerate(ticket.provenance["layers"])
                ],
            )
        return 0


@dataclass(frozen=True)
class Certify:
    """Prove how far a ticket is from its target, over the whole domain."""

    ticket: Positional[Path]
    """The ticket file."""
    file: tyro.conf.OmitArgPrefixes[TargetFile]
    epsilon: float | None = None
    """What the bound is compared with; exit code 1 where it is larger."""
    out: Path = Path("proof.json")
    """Where the certificate goes."""
    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """Load, certify, save."""
        from strongticket.files import ready
        from strongticket.tickets import Ticket
        from strongticket.verify import certify

        ready(self.out)
        with show.progress(quiet=self.json) as progress:
            progress("certify", 0, 0)
            certificate = certify(Ticket.load(self.ticket), self.file.load(), self.epsilon)
        certificate.save(self.out)
        holds = self.epsilon is None or certificate.holds
        if self.json:
            found = {"bound": certificate.bound, "method": certificate.method, "holds": holds}
            show.as_json({**found, "epsilon": self.epsilon, "certificate": self.out})
        else:
            show.line(f"{certificate}\ncertificate: {self.out}")
            show.line("a bound on real-number networks; a float execution adds its rounding")
        return 0 if holds else 1


@dataclass(frozen=True)
class Recheck:
    """Confirm a certificate from its file alone, by a program that imports no prover."""

    certificate: Positional[Path]
    """The certificate file."""
    target: Path | None = None
    """A target file that the certificate must be about."""
    low: float | None = None
    """Least input coordinate, where the target file does not say it."""
    high: float | None = None
    """Largest input coordinate, where the target file does not say it."""
    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """Recheck; 1 where a claim is false."""
        from strongticket.proving import confirm
        from strongticket.verify._certificate import up
        from strongticket.verify._recheck._errors import in_words

        target = None if self.target is None else TargetFile(self.target, self.low, self.high)
        with show.progress(quiet=self.json) as progress:
            progress("recheck", 0, 0)
            found = confirm(self.certificate, None if target is None else target.load())
        claim = None if found.epsilon is None else float(found.epsilon)
        if self.json:
            show.as_json(
                {
                    "bound": up(found.bound),
                    "epsilon": claim,
                    "holds": found.holds if claim is not None else None,
                    "subset_sums": found.subset_sums,
                    "kept_weights": found.kept_weights,
                    "target_digest": found.target_digest,
                    "ticket_id": found.ticket_id,
                }
            )
        else:
            show.line(
                f"confirmed: sup |f - g| <= {in_words(found.bound, 6)}, {found.subset_sums:,} "
                f"subset sums over {found.kept_weights:,} kept weights checked exactly"
            )
            if claim is not None:
                show.line(
                    f"claimed epsilon {claim:g}: {'holds' if found.holds else 'DOES NOT HOLD'}"
                )
        return 0 if claim is None or found.holds else 1


@dataclass(frozen=True)
class Ticket:
    """Show a ticket file, or check it: every digest, every weight made again."""

    action: Positional[Literal["show", "check"]]
    """What to do; both read and verify the whole file."""
    path: Positional[Path]
    """The ticket file."""
    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """Load, which verifies; then print."""
        from strongticket.tickets import Ticket as TicketValue

        ticket = TicketValue.load(self.path)
        network = ticket.network
        size = self.path.stat().st_size
        if self.json:
            show.as_json(
                {
                    "id": ticket.ticket_id,
                    "network": network.digest,
                    "kept_digest": ticket.kept_digest,
                    "seed": network.seed,
                    "kept": ticket.mask.kept,
                    "total": ticket.mask.total,
                    "bytes": size,
                    "provenance": dict(ticket.provenance),
                }
            )
        elif self.action == "check":
            show.line(f"ok: {self.path}, {size:,} bytes, {ticket}; id {ticket.ticket_id}")
        else:
            show.table(
                f"{self.path}: {ticket}, {size:,} bytes, id {ticket.ticket_id[:16]}",
                ("parameter", "shape", "law", "kept", "density"),
                [
                    (
                        p.name,
                        " x ".join(map(str, p.shape)),
                        f"{p.law.name}({p.law.scale:g})",
                        f"{ticket.mask[p.name].kept:,}" if p.masked else "all",
                        f"{ticket.mask[p.name].density:.4g}" if p.masked else "1",
                    )
                    for p in network.parameters
                ],
            )
        return 0


@dataclass(frozen=True)
class Doctor:
    """Say what is installed and what this machine offers."""

    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """Print versions, devices, threads and solvers."""
        from strongticket.cli._doctor import findings

        found = findings()
        if self.json:
            show.as_json(found)
        else:
            show.table("strongticket doctor", ("what", "found"), list(found.items()))
        return 0


def _named(name: str) -> object:
    return tyro.conf.subcommand(name)


Command = (
    Annotated[Demo, _named("demo")]
    | Annotated[Theorems, _named("theorems")]
    | Annotated[Check, _named("check")]
    | Annotated[Construct, _named("construct")]
    | Annotated[Certify, _named("certify")]
    | Annotated[Recheck, _named("recheck")]
    | Annotated[Search, _named("search")]
    | Annotated[Ticket, _named("ticket")]
    | Annotated[Doctor, _named("doctor")]
)
