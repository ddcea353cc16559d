"""Bad input: exit code 2, what was needed and what came, and nothing half-written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import Made, Runner, layers, named, state_dict

from strongticket.errors import InputError, ReachError, WidthError
from strongticket.networks import Network
from strongticket.targets import Box, Target
from strongticket.theorems import pensia2020
from strongticket.tickets import _file
from strongticket.verify._certificate import seal

OLD = b"what was there before"
Prepare = Callable[[Path, Made], Path]


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
    }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an old output file that no failed command may touch."""
    monkeypatch.chdir(tmp_path)
    for name in ("out.safetensors", "out.json"):
        (tmp_path / name).write_bytes(OLD)
    return tmp_path


def refused(run: Runner, place: Path, *arguments: str | Path, says: tuple[str, ...]) -> str:
    """The command ends with 2, prints the words on standard error only, and writes nothing."""
    before = contents(place)
    ended = run(*arguments)
    assert ended.code == 2, ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("error: ")
    for words in says:
        assert words in last
    assert contents(place) == before
    return last


# ---- targets


def spoiled(where: int, value: float, kind: int = 0) -> dict[str, Any]:
    pairs = layers()
    array = pairs[where][kind]
    assert array is not None
    array.flat[1] = value
    return named(pairs)


WEIGHT = np.ones((3, 4), np.float32)
STATES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "NaN weight": (spoiled(1, np.nan), ("weight of layer 1", "nan at (0, 1)", "finite")),
    "infinite weight": (spoiled(0, np.inf), ("weight of layer 0", "inf at (0, 1)")),
    "infinite bias": (spoiled(0, -np.inf, 1), ("bias of layer 0", "-inf at (1,)")),
    "convolution": (
        {"conv.weight": np.ones((3, 1, 2, 2))},
        ("conv.weight of shape (3, 1, 2, 2)", "fully connected", "2 dimensions"),
    ),
    "layer norm": (
        {"0.weight": WEIGHT, "1.weight": np.ones(3), "1.bias": np.ones(3)},
        ("1.weight of shape (3,)", "fully connected"),
    ),
    "batch norm": (
        {"0.weight": WEIGHT, "1.running_mean": np.ones(3)},
        ("1.running_mean", "fully connected"),
    ),
    "no weight": ({"0.bias": np.ones(3)}, ("entry 0.bias", "a weight and a bias only")),
    "recurrent": ({"cell.weight_ih": WEIGHT}, ("entry cell.weight_ih",)),
    "unordered": (
        {"first.weight": WEIGHT, "last.weight": WEIGHT.T},
        ("first, last", "do not say their order", "layers.0.weight"),
    ),
    "unfit": ({"0.weight": WEIGHT, "1.weight": WEIGHT}, ("layer 1 reads 4", "gives 3")),
    "empty": ({}, ("one layer at least",)),
}


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("name", STATES)
def test_a_target_that_is_none(run: Runner, place: Path, name: str, suffix: str) -> None:
    arrays, says = STATES[name]
    file = state_dict(place / f"state{suffix}", arrays)
    box = ("--low", "0", "--high", "1")
    refused(run, place, "construct", "--target", file, *box, "--out", "out.safetensors", says=says)


def not_exact(place: Path, made: Made) -> Path:
    return state_dict(place / "double.pt", {"0.weight": np.full((2, 2), 0.1)})


def pickled(place: Path, made: Made) -> Path:
    import torch

    torch.save(torch.nn.Linear(2, 2), place / "module.pt")
    return place / "module.pt"


def text(place: Path, made: Made) -> Path:
    (place / "notes.safetensors").write_text("not weights")
    return place / "notes.safetensors"


def plain(place: Path, made: Made) -> Path:
    return state_dict(place / "plain.safetensors", named(layers()))


TARGETS: dict[str, tuple[Prepare, tuple[str, ...], tuple[str, ...]]] = {
    "missing": (lambda place, made: place / "none.safetensors", (), ("no target file", "none.")),
    "folder": (lambda place, made: place, (), ("no target file",)),
    "text": (text, (), ("notes.safetensors cannot be read as a state dict",)),
    "pickled module": (pickled, ("--low", "0", "--high", "1"), ("cannot be read as a state",)),
    "double": (not_exact, ("--low", "0", "--high", "1"), ("float64", "not exact in float32")),
    "no domain": (plain, (), ("says nothing of its inputs",)),
    "half a domain": (plain, ("--low", "0"), ("both --low and --high",)),
    "empty domain": (plain, ("--low", "1", "--high", "0"), ("low <= high", "[1.0, 0.0]")),
    "endless domain": (plain, ("--low", "0", "--high", "inf"), ("finite", "inf")),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_file_that_cannot_be_used(run: Runner, place: Path, made: Made, name: str) -> None:
    prepare, options, says = TARGETS[name]
    arguments = ("construct", "--target", prepare(place, made), *options)
    refused(run, place, *arguments, "--out", "out.safetensors", says=says)


def test_what_a_module_must_be() -> None:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.GELU(), torch.nn.Linear(2, 1))
    with pytest.raises(InputError, match=r"must be fully connected.*got Linear, GELU, Linear"):
        Target(model, Box(0.0, 1.0))


# ---- numbers

NUMBERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **{
        f"epsilon {value}": (("--epsilon", value), ("epsilon must be a finite number > 0", came))
        for value, came in [("0", "0.0"), ("-1", "-1.0"), ("nan", "nan"), ("inf", "inf")]
    },
    **{
        f"delta {value}": (("--delta", value), ("delta must lie strictly between 0 and 1", came))
        for value, came in [("0", "0.0"), ("1", "1.0"), ("2", "2.0"), ("nan", "nan")]
    },
    "seed -1": (("--seed", "-1"), ("seed must be an integer in [0, 2^64)", "-1")),
    "seed 2^64": (("--seed", str(2**64)), ("seed must be an integer in [0, 2^64)",)),
    "epsilon below the grid": (("--epsilon", "1e-9"), ("24-bit grid", "finest epsilon is about")),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_out_of_range(run: Runner, place: Path, made: Made, name: str) -> None:
    options, says = NUMBERS[name]
    arguments = ("construct", "--target", made.target_file, *options)
    refused(run, place, *arguments, "--out", "out.safetensors", says=says)


@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
def test_no_certificate_for_an_epsilon_out_of_range(
    run: Runner, place: Path, made: Made, value: str
) -> None:
    arguments = ("certify", made.ticket_file, "--target", made.target_file, "--out", "out.json")
    refused(run, place, *arguments, "--epsilon", value, says=("epsilon must be finite and >= 0",))


def test_weights_that_no_grid_reaches(run: Runner, place: Path) -> None:
    huge = Target([(np.full((2, 2), 1e30, np.float32), None)], Box(0.0, 1.0))
    file = huge.save(place / "huge.safetensors")
    arguments = ("construct", "--target", file, "--out", "out.safetensors")
    refused(run, place, *arguments, says=("norm bound 2e+30", "finest epsilon"))


def test_a_weight_beyond_the_reach_is_named_with_a_scale_that_reaches_it() -> None:
    pairs = layers()
    pairs[1][0][2, 3] = 7.5
    target, theorem = Target(pairs, Box(0.0, 1.0)), pensia2020.EXPLICIT
    says = r"weight \(2, 3\).* lies beyond.*the scales (\S+) and (\S+) reach 7.5"
    with pytest.raises(ReachError, match=says) as refusal:
        theorem.network(target, epsilon=0.1, delta=0.01, seed=0, scales=((2.0, 2.0), (1.0, 2.0)))
    words = str(refusal.value).split("the scales ")[1].split()
    scales = ((2.0, 2.0), (float(words[0]), float(words[2])))
    theorem.network(target, epsilon=0.1, delta=0.01, seed=0, scales=scales)  # as advised


def test_a_network_too_narrow_names_the_width_that_is_asked(made: Made) -> None:
    theorem = pensia2020.EXPLICIT
    asked = made.ticket.network.architecture.widths  # type: ignore[union-attr]
    widths = (asked[0], 5 * 9, *asked[2:])
    laws = [made.ticket.network[f"layers.{i}.weight"].law for i in range(4)]
    narrow = Network.mlp(widths, biases=[True, False, False, False], laws=laws, seed=0)
    with pytest.raises(WidthError, match=rf"asks for {asked[1]} hidden neurons .* has 45\b"):
        theorem.construct(narrow, made.target, epsilon=0.05, delta=0.01)


# ---- files


def cut(source: Path, place: Path, keep: float) -> Path:
    data = source.read_bytes()
    (place / source.name).write_bytes(data[: int(len(data) * keep)])
    return place / source.name


def flipped(source: Path, place: Path, at: float) -> Path:
    data = bytearray(source.read_bytes())
    data[int(len(data) * at)] ^= 1
    (place / source.name).write_bytes(data)
    return place / source.name


def newer_ticket(place: Path, made: Made) -> Path:
    description = {**made.ticket.description, "format": _file.FORMAT + 1}
    data = _file.to_bytes(description, made.ticket.mask, made.ticket.buffers)
    (place / "new.safetensors").write_bytes(data)
    return place / "new.safetensors"


def newer_certificate(place: Path, made: Made) -> Path:
    (place / "new.json").write_bytes(seal({**made.certificate.document(), "format": 3}))
    return place / "new.json"


TICKETS: dict[str, tuple[Prepare, tuple[str, ...]]] = {
    "missing": (lambda place, made: place / "none", ("cannot read", "No such file")),
    "folder": (lambda place, made: place, ("cannot read", "Is a directory")),
    "truncated": (lambda p, made: cut(made.ticket_file, p, 0.9), ("truncated", "it needs")),
    "header cut": (lambda p, made: cut(made.ticket_file, p, 0.2), ("truncated", "header")),
    "edited mask": (lambda p, made: flipped(made.ticket_file, p, 0.97), ("was edited",)),
    "newer": (newer_ticket, ("a ticket of format 3", "newer")),
    "a target": (lambda p, made: made.target_file, ("one metadata key 'strongticket'",)),
    "a certificate": (lambda p, made: made.certificate_file, ("no safetensors header",)),
}
CERTIFICATES: dict[str, tuple[Prepare, tuple[str, ...]]] = {
    "missing": (lambda place, made: place / "none", ("cannot read", "No such file")),
    "truncated": (lambda p, made: cut(made.certificate_file, p, 0.9), ("truncated",)),
    "edited": (lambda p, made: flipped(made.certificate_file, p, 0.5), ("was edited",)),
    "newer": (newer_certificate, ("certificate of format 3", "newer")),
    "a ticket": (lambda p, made: made.ticket_file, ("no certificate",)),
}


@pytest.mark.parametrize("command", ["ticket", "certify"])
@pytest.mark.parametrize("name", TICKETS)
def test_a_ticket_file_that_is_none(
    run: Runner, place: Path, made: Made, name: str, command: str
) -> None:
    prepare, says = TICKETS[name]
    file = prepare(place, made)
    if command == "ticket":
        refused(run, place, "ticket", "check", file, says=says)
    else:
        arguments = ("certify", file, "--target", made.target_file, "--out", "out.json")
        refused(run, place, *arguments, says=says)


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_file_that_is_none(run: Runner, place: Path, made: Made, name: str) -> None:
    prepare, says = CERTIFICATES[name]
    refused(run, place, "recheck", prepare(place, made), says=says)


@pytest.mark.parametrize("cases", [TICKETS, CERTIFICATES], ids=["tickets", "certificates"])
def test_truncated_edited_and_newer_have_each_a_message_of_their_own(
    run: Runner, place: Path, made: Made, cases: dict[str, tuple[Prepare, tuple[str, ...]]]
) -> None:
    command = ("ticket", "check") if cases is TICKETS else ("recheck",)
    chosen = [name for name in cases if name.split()[0] in ("truncated", "edited", "newer")]
    assert len(chosen) == 3
    files = [cases[name][0](place, made) for name in chosen]
    words = []
    for name, file in zip(chosen, files, strict=True):
        cases[name][0](place, made)  # the cases of one list write the same file
        words.append(run(*command, file).err.splitlines()[-1].replace(str(place), ""))
    for kind, message in zip(("truncated", "edited", "newer"), words, strict=True):
        assert kind in message
        assert [other for other in words if kind in other] == [message]


def test_a_ticket_of_another_target(run: Runner, place: Path, made: Made) -> None:
    wide = Target([(np.ones((3, 7), np.float32), None)], Box(0.0, 1.0))
    file = wide.save(place / "wide.safetensors")
    arguments = ("certify", made.ticket_file, "--target", file, "--out", "out.json")
    refused(run, place, *arguments, says=("(4, 5, 3)", "(7, 3)"))


# ---- folders

WRITERS: dict[str, tuple[str, ...]] = {
    "construct": ("construct", "--target", "{target}"),
    "certify": ("certify", "{ticket}", "--target", "{target}"),
    "search": ("search", "--epochs", "1"),
}


@pytest.mark.parametrize("command", WRITERS)
@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("none/out", ("cannot write none/out", "no folder none")),
        ("out.json/out", ("cannot write", "no folder out.json")),
        ("made", ("cannot write made", "it is a folder")),
        ("locked/out", ("cannot write locked/out", "not writable")),
    ],
)
def test_an_output_that_cannot_be_written(
    run: Runner,
    place: Path,
    made: Made,
    command: str,
    out: str,
    says: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (place / "made").mkdir()
    (place / "locked").mkdir(0o555)
    access = os.access  # the superuser may write everywhere
    monkeypatch.setattr(os, "access", lambda p, how: Path(p).name != "locked" and access(p, how))
    files = {"target": str(made.target_file), "ticket": str(made.ticket_file)}
    arguments = [part.format(**files) for part in WRITERS[command]]
    refused(run, place, *arguments, "--out", out, says=says)


def test_a_demo_folder_that_cannot_be_made(run: Runner, place: Path) -> None:
    refused(run, place, "demo", "--out", "out.json/demo", says=("cannot make the folder",))
    refused(run, place, "demo", "--out", "out.json", says=("cannot make the folder out.json",))


def test_a_disk_that_fills_up_leaves_the_old_file(
    run: Runner, place: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    arguments = ("construct", "--target", made.target_file, "--out", "out.safetensors")
    refused(run, place, *arguments, says=("cannot write out.safetensors", "No space left"))


def test_an_interruption_exits_130_and_leaves_the_old_file(
    run: Runner, place: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    before = contents(place)
    monkeypatch.setattr("strongticket.subsetsum.best", pressed)
    ended = run("construct", "--target", made.target_file, "--out", "out.safetensors")
    assert (ended.code, ended.out) == (130, "")
    assert "interrupted" in ended.err
    assert contents(place) == before


# ---- searching

SEARCHES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "rate beyond float32": (("--rate", "1e300"), ("as a float32", "1e+300")),
    "rate nan": (("--rate", "nan"), ("lr must be finite", "nan")),
    "rate -1": (("--rate", "-1"), ("lr must be finite", ">= 0", "-1")),
    "density 0": (("--density", "0"), ("density", "(0, 1]", "0.0")),
    "density 2": (("--density", "2"), ("density", "(0, 1]", "2.0")),
    "no epochs": (("--epochs", "0"), ("epochs, batch and threads >= 1", "got 0, 128, 1")),
    "no images": (("--batch", "0"), ("threads >= 1", "1, 0, 1")),
    "no model": (("--model", "mlp-8-0"), ("a model is mlp-WIDTH", "mlp-8-0")),
    "another width": (("--model", "mlp-9-5-10"), ("does not take the 64 values of digits",)),
    "too few outputs": (("--model", "mlp-64-5-3"), ("3 outputs", "10 classes")),
    "no scope": (("--method", "gem-miner", "--scope", "global"), ("gem-miner has no scope",)),
    "seed -1": (("--seed", "-1"), ("seed must be an integer",)),
    "no data": (
        ("--data", "none"),
        ("no data folder none", "train-images-idx3-ubyte", "data_batch_1"),
    ),
    "wrong data": (("--data", "wrong"), ("wrong holds no train-images-idx3-ubyte",)),
    "cut data": (("--data", "cut"), ("is truncated", "needed", "came")),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_that_cannot_be(run: Runner, place: Path, name: str) -> None:
    (place / "wrong").mkdir()
    (place / "cut").mkdir()
    head = bytes((0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 2))
    (place / "cut" / "train-images-idx3-ubyte").write_bytes(head + bytes(35))
    options, says = SEARCHES[name]
    small = () if "--model" in options else ("--model", "mlp-64-8-10")
    epochs = () if "--epochs" in options else ("--epochs", "1")
    arguments = ("search", *small, *epochs, *options, "--out", "out.safetensors")
    refused(run, place, *arguments, says=says)


def test_scores_that_turn_nan(run: Runner, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from strongticket import datasets

    data = datasets.digits()
    data.train_x[700, 3] = np.nan
    monkeypatch.setattr(datasets, "digits", lambda: data)
    arguments = ("search", "--model", "mlp-64-8-10", "--epochs", "2", "--out", "out.safetensors")
    refused(
        run,
        place,
        *arguments,
        says=("scores of 'layers.0.weight' must be finite", "NaN", "lower lr"),
    )


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("construct",),
        ("construct", "--target", "x", "--objective", "worst"),
        ("construct", "--target", "x", "--epsilon", "small"),
        ("recheck",),
        ("ticket", "eat", "x"),
    ],
)
def test_wrong_usage_exits_2(run: Runner, place: Path, arguments: tuple[str, ...]) -> None:
    before = contents(place)
    ended = run(*arguments)
    assert ended.code == 2
    assert ended.err + ended.out
    assert contents(place) == before


def test_the_refusals_would_notice_a_file(run: Runner, place: Path, made: Made) -> None:
    """The counter-test: what succeeds changes the folder."""
    before = contents(place)
    shutil.copy(made.target_file, place / "target.safetensors")
    assert contents(place) != before
    before = contents(place)
    arguments = ("construct", "--target", "target.safetensors", "--out", "out.safetensors")
    assert run(*arguments).code == 0
    assert contents(place) != before
