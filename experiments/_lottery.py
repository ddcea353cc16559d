"""The trained tickets that the lottery experiments share: one setting, one folder, trained once.

A finished round or control is a file, whole or absent; whatever runs next reads it instead of
training again. The folder's name holds a digest of data, network and training, so no run meets
the files of another one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from strongticket import canonical
from strongticket.datasets import Images, digits, idx_folder
from strongticket.errors import FileError, InputError
from strongticket.files import folder, read_whole, write_whole
from strongticket.pruning import LeNet, Lottery, one_shot, retrain, state_of
from strongticket.search.controls import rearranged
from strongticket.training import History, Recipe, Split

RUNS = Path("runs") / "lottery"
OTHER = 1000  # a control's own seed is the run's plus this
CONTROLS = ("one shot", "re-initialised", "rearranged")


@dataclass(frozen=True)
class Setting:
    """Network, training and pruning, in plain values.

    Attributes:
        name: "quick" (the shipped digits), "short", or "published".
        widths: input, hidden layers, output.
        steps, every: iterations of a training, and of them one evaluation each so many.
        rate: the learning rate of Adam.
        validation: training images set aside for early stopping.
        rounds: how often is pruned: 0.8 of each hidden layer's weights stay, 0.9 of the output's.
        compared: rounds beside which the controls are trained.
    """

    name: str
    widths: tuple[int, ...] = (784, 300, 100, 10)
    steps: int = 50_000
    every: int = 100
    rate: float = 1.2e-3
    validation: int = 5_000
    rounds: int = 20
    compared: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 18, 20)

    def lenet(self) -> LeNet:
        """The configuration of `strongticket.pruning` with these numbers."""
        recipe = Recipe(steps=self.steps, every=self.every, rate=self.rate)
        return LeNet(widths=self.widths, recipe=recipe, validation=self.validation)


PUBLISHED = Setting("published")
SHORT = Setting("short", steps=3_000, every=200, rounds=15, compared=(3, 7, 9, 15))
QUICK = Setting(
    "quick",
    (64, 60, 30, 10),
    steps=250,
    every=10,
    rate=5e-3,
    validation=200,
    rounds=7,
    compared=(7,),
)


@dataclass(frozen=True)
class Options:
    """What the lottery experiments ask alike; every field is an option of the command line."""

    data: Path | None = None
    """folder with MNIST's four files; --quick takes the shipped digits instead"""
    out: Path = Path("runs")
    runs: Path = RUNS
    """where trained rounds are kept, and read where they are there"""
    publish: bool = False
    """write the table and the figure where the documentation has them, instead of to `out`"""
    seeds: int = 5
    """how many of everything, 0 upwards; --quick takes 3 at most"""
    short: bool = False
    """fewer iterations and fewer rounds than published"""
    quick: bool = False

    def setting(self) -> Setting:
        """The numbers that are run."""
        return QUICK if self.quick else SHORT if self.short else PUBLISHED


@dataclass(frozen=True, eq=False)
class Bench:
    """A setting with its data: what trains, and the folder in which it is kept."""

    setting: Setting
    data: Split
    data_name: str
    place: Path

    def seed_folder(self, seed: int) -> Path:
        """Where the runs of one seed are."""
        return self.place / f"seed-{seed}"

    def tickets(
        self, seed: int, rounds: int, progress: Callable[[str, int, int], None]
    ) -> Lottery[History]:
        """Iterative pruning up to `rounds`, from the files where they are there."""
        return self.setting.lenet().lottery(
            self.data,
            seed,
            rounds,
            folder=self.seed_folder(seed),
            progress=lambda r: progress(f"seed {seed}: tickets", r.index, rounds),
        )

    def control(self, name: str, found: Lottery[History], index: int, seed: int) -> History:
        """A control beside round `index`, with its numbers of weights in every layer.

        "one shot": the masks of the dense weights' magnitudes, the ticket's initial weights.
        "re-initialised": the ticket's masks, initial weights of another seed.
        "rearranged": each kept connection with its initial value at another place of its layer.
        """
        lenet, one = self.setting.lenet(), found.rounds[index]
        path = self.record(name, index, seed)
        if path.exists():
            return history(path)
        masks, start = one.masks, found.initial
        if name == "one shot":
            masks = one_shot(found.rounds[0], found.initial, one.kept)
        elif name == "re-initialised":
            start = state_of(lenet.model(seed + OTHER))
        elif name == "rearranged":
            masks, start = rearranged(masks, found.initial, seed + OTHER)
        else:
            raise InputError(f"a control is one of {CONTROLS}, got {name!r}")
        made = retrain(lenet.model(seed), start, masks, lenet.trainer(self.data, seed))
        write_whole(path, json.dumps(made.spec()).encode())
        return made

    def record(self, name: str, index: int, seed: int) -> Path:
        """The file of what is trained beside round `index`."""
        return self.seed_folder(seed) / f"{name.replace(' ', '-')}-{index:03d}.json"


def history(path: Path) -> History:
    """A training out of its file."""
    try:
        return History.from_spec(json.loads(read_whole(path)))
    except (ValueError, InputError) as error:
        raise FileError(f"{path} is no history of a training; delete it") from error


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """One thread, so that sums have one order; numbers below 1.2e-38 are zero.

    Momenta of weights whose gradient stays 0 decay into such numbers after a thousand steps, and
    arithmetic on them made a step a third slower.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def bench(setting: Setting, data: Path | None, runs: Path) -> Bench:
    """The setting on its data; all but "quick" need a folder in MNIST's layout."""
    if setting.name == "quick":
        images = digits()
    elif data is None:
        raise InputError("needs --data FOLDER with MNIST's four files; --quick takes the digits")
    else:
        images = idx_folder(data)
    lenet = setting.lenet()
    spec = canonical.dumps({**asdict(lenet.recipe), "widths": list(lenet.widths)})
    digest = canonical.sha256(spec, str(lenet.validation).encode(), _digest(images))
    name = "digits" if setting.name == "quick" else "MNIST"
    place = folder(runs / f"{name.lower()}-{setting.steps}-{digest[-8:]}")
    return Bench(setting, lenet.split(images), name, place)


def _digest(images: Images) -> bytes:
    whole = hashlib.sha256()
    for array in (images.train_x, images.train_y, images.test_x, images.test_y):
        whole.update(array.tobytes())
    return whole.digest()


def pruned_weights(state: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a state that are pruned: the weights, without the biases."""
    return {name: state[name] for name in masks}
