"""Pensia et al. 2020 on MNIST, as the theorem says it: 784-500-10 out of a random network.

The published experiment drew candidates from the range of the trained weights and solved one
subset sum a weight. This one uses the theorem's own random network (depth 4, products of two
random weights behind a ReLU, the full proved width), certifies the pruned network over the whole
input box [0, 1]^784, and evaluates the pruned network itself.

    python experiments/pensia2020_mnist.py --data FOLDER [--quick]
"""

from __future__ import annotations

import json
import resource
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from _main import refused
from numpy.typing import NDArray

from strongticket import Box, Target
from strongticket.cli import show
from strongticket.datasets import idx_folder
from strongticket.errors import StrongticketError
from strongticket.files import folder, write_whole
from strongticket.proving import Proof, prove
from strongticket.theorems import pensia2020
from strongticket.training import accuracy, train_relu


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    data: Annotated[Path, tyro.conf.arg(help="folder with the four MNIST idx files")]
    out: Path = Path("runs/pensia2020_mnist")
    hidden: int = 500
    epochs: int = 4
    decay: float = 1e-3
    epsilon: float = 0.05
    delta: float = 0.01
    seed: int = 0
    starts: int = 200
    steps: int = 200
    quick: bool = False


QUICK: dict[str, Any] = {"hidden": 32, "epochs": 1, "starts": 20, "steps": 20}


@dataclass(frozen=True)
class Result:
    """The proof's numbers, and the accuracy of target and ticket, each on its own network."""

    proof: Proof
    target_accuracy: float
    ticket_accuracy: float
    peak_gib: float
    weight_errors: tuple[NDArray[np.float64], ...]  # |effective - target|, one array a layer
    demanded: tuple[float, ...]  # the theorem's accuracy for the weights of each layer


def run(config: Config) -> Result:
    """Train the target, prune the theorem's random network down to it, certify, recheck."""
    folder(config.out)  # before the work, not after it
    data = idx_folder(config.data)
    with show.progress() as progress:
        model = train_relu(
            data,
            (config.hidden,),
            epochs=config.epochs,
            seed=config.seed,
            decay=config.decay,
            progress=progress,
        )
        target = Target(model, domain=Box(0.0, 1.0))
        target.save(config.out / "target.safetensors")
        theorem = pensia2020.EXPLICIT
        ticket, certificate, proof = prove(
            theorem,
            target,
            epsilon=config.epsilon,
            delta=config.delta,
            seed=config.seed,
            folder=config.out,
            name="mnist",
            starts=config.starts,
            steps=config.steps,
            progress=progress,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    errors = tuple(
        np.abs(np.ldexp(layer.plus.astype(np.float64), layer.exponent) - weights).ravel()
        for layer, weights in zip(certificate.layers, target.weights, strict=True)
    )
    demanded = tuple(plan.eta for plan in theorem.plan(target, config.epsilon))
    accuracies = accuracy(model, data), accuracy(ticket.compact(), data)
    return Result(proof, *accuracies, peak, errors, demanded)


def holds(result: Result) -> bool:
    """The claims: certified within epsilon, and the independent checker found the same bound."""
    return result.proof.holds and result.proof.rechecked


def plot(result: Result, path: Path) -> None:
    """Two panels: each weight error against the accuracy demanded, and what is known of f - g."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    bins = np.geomspace(1e-16, max(result.demanded), 80)
    for i, (errors, eta) in enumerate(zip(result.weight_errors, result.demanded, strict=True)):
        shown = np.maximum(errors, bins[0])
        left.hist(shown, bins, histtype="step", color=f"C{i}", label=f"layer {i + 1}")
        left.axvline(eta, color=f"C{i}", linestyle=":", label=f"demanded, layer {i + 1}")
    left.set(xscale="log", yscale="log", xlabel="error of an effective weight", ylabel="weights")
    left.legend(fontsize=8, loc="upper left")
    proof = result.proof
    names = ("claimed: epsilon", "certified, from above", "attack, from below")
    values = (proof.epsilon, proof.bound, proof.lower_bound)
    bars = right.barh(names[::-1], values[::-1], color=("C2", "C0", "0.7"))
    right.bar_label(bars, fmt=lambda v: f"{v:.2g}", padding=3)
    right.set(xscale="log", xlabel="sup |f - g| over the box")
    right.set_xlim(min(values) / 3, max(values) * 4)
    widths = "-".join(map(str, proof.target_widths))
    figure.suptitle(
        f"{widths} out of a random network: {proof.kept_weights:,} of "
        f"{proof.random_weights:,} weights kept",
        fontsize=10,
    )
    figure.savefig(path, dpi=150)


def main() -> int:
    """Run, print one table, and store the result with its configuration."""
    config = tyro.cli(Config, description=__doc__)
    if config.quick:
        config = replace(config, **QUICK)
    try:
        result = run(config)
    except StrongticketError as error:
        return refused(error)
    extra = {"peak memory": f"{result.peak_gib:.2f} GiB"}
    show.proof_table(result.proof, result.target_accuracy, result.ticket_accuracy, extra)
    stored = {
        "config": {k: str(v) if isinstance(v, Path) else v for k, v in asdict(config).items()},
        "proof": result.proof.to_json(),
        "target_accuracy": result.target_accuracy,
        "ticket_accuracy": result.ticket_accuracy,
        "peak_gib": result.peak_gib,
        "holds": holds(result),
    }
    plot(result, config.out / "figure.png")
    write_whole(config.out / "result.json", (json.dumps(stored, indent=1) + "\n").encode())
    return 0 if holds(result) else 1


if __name__ == "__main__":
    raise SystemExit(main())
