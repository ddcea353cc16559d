"""One row of `catalogue_targets`: one theorem, one trained target, everything measured.

As a program it makes one row in a process of its own, so that the row's peak memory is its own and
its limits on memory and processor time end nothing else:

    python experiments/_catalogue_rows.py CASE OUT DATA GIB SECONDS
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from strongticket import Ball, Box, Target, Ticket
from strongticket.construct import quantized
from strongticket.datasets import Images, digits, idx_folder
from strongticket.errors import ClaimError, InputError, ReachError, StrongticketError, WidthError
from strongticket.files import folder, write_whole
from strongticket.proving import confirm
from strongticket.theorems import THEOREMS, Theorem
from strongticket.training import train_relu
from strongticket.verify import agreement, attack, certify

DELTA, SEED = 0.01, 0
TESTED, BATCH = 2000, 200  # test images, at most; and at a time
HELD = 10**8  # values of one layer, all images of a batch together
TABLE = 10**8  # neurons of a layer that are looked up in a table; of a wider one they are sorted
PARTIAL = ".partial.json"
BY_KEY: Mapping[str, Theorem] = {theorem.key: theorem for theorem in THEOREMS}
FOLDERS = ("mnist", "fashion-mnist")


@dataclass(frozen=True)
class Case:
    """A theorem on a target.

    Attributes:
        key, data, hidden: The theorem, the images, the target's hidden widths.
        epsilon: What is claimed.
        biases: Whether the target has biases.
        unit: Layers divided by their spectral norms, inputs in the unit ball.
        bits: Weights rounded to multiples of 2^-bits; 0 leaves them.
        live: Only so many of each neuron's weights stay, the largest; 0 leaves all.
        decay: What a step of training takes off every weight. Small norms make for narrow networks
            and for accuracies that 24 bits can prove.
        most: Random weights beyond which the construction is not even started.
        options: For network and construction both.
    """

    key: str
    data: str
    hidden: tuple[int, ...]
    epsilon: float
    biases: bool = False
    unit: bool = False
    bits: int = 0
    live: int = 0
    decay: float = 3e-3
    most: float = 1e11
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What its files are called."""
        return "_".join((self.data, self.key, *map(str, self.hidden)))


@dataclass(frozen=True)
class Row:
    """What became of a case.

    Attributes:
        theorem, data, target, epsilon: The case; `target` has all widths.
        limit: "" where a ticket was certified, else what it ran into: grid, width, memory, time,
            hypothesis.
        why: That in words.
        widths, random_weights: The random network that the theorem asks for.
        kept_weights: Weights of the ticket.
        bound, attack: The certified error, and the largest one found.
        rechecked: Whether the checker found the same bound in the file alone.
        trained, before, after: Test accuracy of the trained network, of the target (rounded or
            scaled where the theorem needs that), of the pruned network.
        settled: The fraction of test images whose class the bound alone decides.
        construct, certify, recheck: Seconds of processor time.
        peak: GiB of memory; 0 where the process was not the row's own.
    """

    theorem: str
    data: str
    target: str
    epsilon: float
    limit: str = ""
    why: str = ""
    widths: str = ""
    random_weights: int = 0
    kept_weights: int = 0
    bound: float = math.nan
    attack: float = math.nan
    rechecked: bool = False
    trained: float = math.nan
    before: float = math.nan
    after: float = math.nan
    settled: float = math.nan
    construct: float = math.nan
    certify: float = math.nan
    recheck: float = math.nan
    peak: float = 0.0

    @property
    def certified(self) -> bool:
        """Whether there is a certificate."""
        return not self.limit


# ---- data and targets


def images(data: str, place: Path | None) -> Images:
    """The shipped digits, or a folder of four idx files below `place`."""
    if data == "digits":
        return digits()
    if place is None:
        raise InputError(f"{data} needs --data, a folder that holds a folder {data}/")
    return idx_folder(place / data)


def trained(case: Case, data: Images, out: Path) -> Target:
    """The trained network, from `out` where an earlier row left it."""
    widths = "-".join(map(str, case.hidden))
    name = f"{case.data}_{widths}_{case.decay:g}{'_biases' * case.biases}.safetensors"
    path = folder(out / "targets") / name
    if path.is_file():
        return Target.load(path)
    small = case.data == "digits"
    model = train_relu(
        data,
        case.hidden,
        epochs=60 if small else 4,
        seed=SEED,
        biases=case.biases,
        rate=3e-3 if small else 1e-3,
        decay=case.decay,
    )
    target = Target(model, Box(0.0, 1.0))
    target.save(path)
    return target


def prepared(case: Case, target: Target) -> Target:
    """What the theorem is about: rounded to a grid, sparse, of norm-one layers on the unit ball."""
    if case.bits:
        target = quantized(target, [2.0**-case.bits] * target.depth)
    if case.live:
        target = Target([(largest(w, case.live), None) for w in target.weights], target.domain)
    if case.unit:
        norms = [np.linalg.norm(w.astype(np.float64), 2) * (1 + 1e-6) for w in target.weights]
        layers = [(w / np.float32(s), None) for w, s in zip(target.weights, norms, strict=True)]
        target = Target(layers, Ball(1.0))
    return target


def largest(weights: NDArray[np.float32], live: int) -> NDArray[np.float32]:
    """The `live` largest weights of every row, the others 0."""
    least = np.sort(np.abs(weights), axis=1)[:, -min(live, weights.shape[1])]
    return np.where(np.abs(weights) >= least[:, None], weights, np.float32(0))


def inputs(case: Case, data: Images) -> Images:
    """The first test images, scaled into the domain where that asks for it.

    A network without biases answers the same to a scaled image.
    """
    data = replace(data, test_x=data.test_x[:TESTED], test_y=data.test_y[:TESTED])
    unit = np.float32(2.0 ** -math.ceil(math.log2(math.sqrt(data.test_x.shape[1]))))
    return replace(data, test_x=data.test_x * unit) if case.unit else data


def pruned_accuracy(ticket: Ticket, data: Images) -> float:
    """Test accuracy of a pruned random network of ReLUs, its kept weights alone multiplied out.

    That is `training.accuracy` of `ticket.compact()` with sparse matrices in place of dense ones,
    which would be hundreds of thousands of neurons wide.
    """
    layers, read = sparse_layers(ticket)
    batch = max(1, min(BATCH, HELD // max(weight.shape[0] for weight, _ in layers)))
    hits = 0
    for low in range(0, len(data.test_x), batch):
        y = data.test_x[low : low + batch, read].T
        for i, (weight, bias) in enumerate(layers):
            y = weight @ (np.maximum(y, 0) if i else y) + bias[:, None]
        hits += int((y.argmax(0) == data.test_y[low : low + batch]).sum())
    return hits / len(data.test_x)


def sparse_layers(
    ticket: Ticket,
) -> tuple[list[tuple[Any, NDArray[np.float32]]], NDArray[np.int64]]:
    """Each layer's kept weights (outputs, inputs) and biases, and the inputs that are read.

    Neurons that no kept weight reads are left out.
    """
    architecture = ticket.network.architecture
    widths = architecture.widths  # type: ignore[union-attr]
    layers = []
    read = np.arange(widths[-1])
    for i in range(len(widths) - 2, -1, -1):
        name = f"layers.{i}.weight"
        rows, columns = np.divmod(ticket.mask[name].indices(), widths[i])
        kept, rows = among(read, rows)
        columns, weights = columns[kept], ticket.kept_weights(name)[kept]
        bias = np.zeros(read.size, np.float32)
        if architecture.biases[i]:  # type: ignore[union-attr]
            name = f"layers.{i}.bias"
            there, slots = among(read, ticket.mask[name].indices())
            bias[slots] = ticket.kept_weights(name)[there]
        read, slots = numbered(columns, widths[i])
        shape = len(bias), read.size
        layers.append((sparse.csr_array((weights, (rows, slots)), shape=shape), bias))
    return layers[::-1], read


def among(
    read: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Which of the wanted neurons are among those that are read (increasing), and where."""
    slots = np.minimum(np.searchsorted(read, wanted), max(read.size - 1, 0)).astype(np.int32)
    kept = read[slots] == wanted if read.size else np.zeros(wanted.size, np.bool_)
    return kept, slots[kept]


def numbered(columns: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The neurons that occur, increasing, and the place of each among them."""
    if width > TABLE:  # a layer may be wider than memory
        read, slots = np.unique(columns, return_inverse=True)
        return read, slots.astype(np.int32)
    found = np.zeros(width, np.bool_)
    found[columns] = True
    return np.flatnonzero(found), (np.cumsum(found, dtype=np.int32) - 1)[columns]


def correct(target: Target, data: Images) -> float:
    """Test accuracy of a target."""
    return float((target(data.test_x).argmax(1) == data.test_y).mean())


# ---- one row


def measure(
    case: Case, out: Path, place: Path | None, partial: Callable[[Row], object] = id
) -> Row:
    """Draw, construct, certify, attack, recheck, evaluate; what is refused says why.

    `partial` gets the row as it stands after each stage.
    """
    theorem, data = BY_KEY[case.key], images(case.data, place)
    own = trained(case, data, out)
    target, data = prepared(case, own), inputs(case, data)
    row = Row(case.key, case.data, "-".join(map(str, target.widths)), case.epsilon)
    row = replace(row, trained=correct(own, data), before=correct(target, data))
    clock = Clock()
    try:
        network = theorem.network(target, case.epsilon, DELTA, seed=SEED, **case.options)
        widths = network.architecture.widths  # type: ignore[union-attr]
        weights = sum(p.numel for p in network.parameters)
        row = replace(row, widths="-".join(map(str, widths)), random_weights=weights)
        partial(replace(row, why="construction"))
        if weights > case.most:
            return replace(row, limit="width", why=f"{weights:.1e} random weights")
        ticket = theorem.construct(network, target, case.epsilon, **case.options)
        row = replace(row, construct=clock.lap(), kept_weights=ticket.mask.kept)
        partial(replace(row, why="certificate"))
        certificate = certify(ticket, target, case.epsilon)
        row = replace(row, certify=clock.lap(), bound=certificate.bound)
        partial(replace(row, why="attack and recheck"))
        found = attack(ticket, target, starts=20, steps=20, seed=SEED, layers=certificate.layers)
        settled = agreement(certificate, data.test_x).certified
        row = replace(row, attack=found.distance, settled=settled)
        row = replace(row, after=pruned_accuracy(ticket, data))
        with tempfile.TemporaryDirectory(dir=out) as spare:
            file = certificate.save(Path(spare) / "proof.json")
            clock.lap()
            same = confirm(file, target).bound == certificate.exact_bound
        return replace(row, rechecked=same, recheck=clock.lap())
    except (StrongticketError, MemoryError) as error:
        limit, why = refusal(error)
        return replace(row, limit=limit, why=why)


def refusal(error: Exception) -> tuple[str, str]:
    """What a case ran into, in one word and in one phrase."""
    text = str(error).partition(";")[0].partition(". ")[0].partition(":")[0]
    if isinstance(error, MemoryError):
        return "memory", "more memory than a row may take"
    if isinstance(error, WidthError):
        return "width", text
    if "below 2^63" in text:
        return "width", "a random layer of 2^63 weights or more"
    if "24-bit grid" in text:
        finest = str(error).partition("the finest epsilon is about ")[2].split(".  ")[0].split()
        return (
            "grid",
            f"24-bit weights prove no less than {finest[0].rstrip('.;') if finest else '?'}",
        )
    if isinstance(error, (InputError, ReachError)):
        return "hypothesis", text
    return type(error).__name__, text


class Clock:
    """Processor seconds between two laps: other work on the machine does not count."""

    def __init__(self) -> None:
        self._last = time.process_time()

    def lap(self) -> float:
        """Seconds since the last lap."""
        last, self._last = self._last, time.process_time()
        return self._last - last


# ---- rows as files


def stored(case: Case, out: Path, ending: str = ".json") -> Row | None:
    """The row of an earlier run of the same case."""
    path = out / "rows" / f"{case.name}{ending}"
    if not path.is_file():
        return None
    read = json.loads(path.read_text("utf-8"))
    return Row(**read["row"]) if read["case"] == plain(case) else None


def store(case: Case, row: Row, out: Path, ending: str = ".json") -> Row:
    """Write a row, whole or not at all."""
    content = {"case": plain(case), "row": dataclasses.asdict(row)}
    place = folder(out / "rows") / f"{case.name}{ending}"
    write_whole(place, (json.dumps(content, indent=1) + "\n").encode())
    return row


def cut_short(case: Case, out: Path, limit: str, allowed: str) -> Row:
    """The row of a process that was ended: what it had found, and in which stage it was."""
    row = stored(case, out, PARTIAL)
    if row is None:
        raise ClaimError(f"the process of {case.name} ended before it had drawn a network")
    return replace(row, limit=limit, why=f"the {row.why} takes more than {allowed}")


def plain(case: Case) -> dict[str, Any]:
    """A case as JSON has it."""
    read: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(case)))
    return read


def main() -> int:
    """Measure one case, given as JSON, within limits on memory (GiB) and processor time (s)."""
    text, out, place, gib, seconds = sys.argv[1:]
    fields = json.loads(text)
    case = Case(**{**fields, "hidden": tuple(fields["hidden"])})
    resource.setrlimit(resource.RLIMIT_DATA, (int(float(gib) * 2**30),) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(float(seconds)), int(float(seconds)) + 5))
    left = functools.partial(store, case, out=Path(out), ending=PARTIAL)
    row = measure(case, Path(out), Path(place) if place else None, left)
    if row.limit == "memory":
        row = cut_short(case, Path(out), "memory", f"{float(gib):g} GiB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    store(case, replace(row, peak=peak), Path(out))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
