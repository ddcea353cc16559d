"""The experiments on mask search, run small; their claims can fall, and runs are remembered."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from experiment_modules import load

from strongticket.cli._search import Search
from strongticket.errors import InputError
from strongticket.models import named
from strongticket.search import keep_count
from strongticket.search.by_name import NAMES

shared = load("_searching")
mnist = load("ramanujan2020_mnist")
methods = load("search_methods")
tickets = load("search_tickets")
cifar = load("search_cifar")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(**more: Any) -> Any:
    """A run on the digits that takes a moment."""
    return shared.Run("", "mlp-64-16-10", epochs=1, batch=128, limit=256, **more)


def run_main(
    module: ModuleType, result: object, place: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, list[dict[str, str]]]:
    """The command on a result that is there already: its exit code and its table."""
    monkeypatch.setattr(module, "run", lambda config: result)
    monkeypatch.setattr(sys, "argv", [f"{module.NAME}.py", "--quick", "--out", str(place)])
    code: int = module.main()
    assert (place / f"{module.NAME}.png").stat().st_size > 10_000
    rows = (place / f"{module.NAME}.csv").read_text("utf-8").splitlines()
    return code, list(csv.DictReader(rows))


def test_a_run_is_a_function_of_its_values() -> None:
    one, other = shared.measure(small(controls=1)), shared.measure(small(controls=1))
    assert replace(one, seconds=0.0) == replace(other, seconds=0.0)
    assert (one.trained_on, one.judged_by, one.kept_density) == (256, "test", 0.5)
    again = shared.measure(small(controls=1, score_seed=1))
    assert again.accuracy != one.accuracy or again.first != one.first
    aside = shared.measure(small(validation=100))
    assert aside.judged_by == "validation"
    assert round(100 * aside.accuracy) == pytest.approx(100 * aside.accuracy)  # of 100 images
    assert math.isnan(aside.random)


def test_validation_images_are_never_trained_on() -> None:
    data = shared.pictures("", 0, 200)
    seen = {row.numpy().tobytes() for row in data.train_x}
    assert len(data.train_x) + len(data.valid_x) == len(shared.images("").train_x)
    assert sum(row.numpy().tobytes() in seen for row in data.valid_x) <= 1  # a digit drawn alike
    assert torch.equal(data.test_x, shared.pictures("", 0, 0).valid_x)
    with pytest.raises(InputError, match="limit"):
        shared.pictures("", 10**6, 0)


def test_runs_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [small(), small(density=0.2)]
    first = shared.every(runs, tmp_path, 1, lambda *_: None, "runs")
    assert len(list(tmp_path.glob("*.json"))) == 2
    monkeypatch.setattr(shared, "measure", lambda run: pytest.fail(f"measured again: {run}"))
    assert [r.accuracy for r in shared.every(runs, tmp_path, 1, lambda *_: None, "runs")] == [
        r.accuracy for r in first
    ]
    monkeypatch.undo()
    file = next(tmp_path.glob("*.json"))
    held = json.loads(file.read_text("utf-8"))
    held["asked"]["density"] = 0.9  # another run's file is not believed
    file.write_text(json.dumps(held), "utf-8")
    assert shared.every(runs, tmp_path, 1, lambda *_: None, "runs")[0].density == 0.5
    with pytest.raises(InputError, match="workers"):
        shared.every(runs, tmp_path, 0, lambda *_: None, "runs")


def test_means() -> None:
    value = shared.mean([0.1, 0.2, 0.3])
    assert value.mean == pytest.approx(0.2)
    assert value.half == pytest.approx(4.302652729911275 * 0.1 / 3**0.5)
    assert math.isinf(shared.mean([0.5]).half)
    assert str(shared.mean([0.5])) == "50.00%"


def test_density_and_width(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = mnist.Config(
        out=tmp_path,
        hidden=(16,),
        seeds=1,
        epochs=2,
        densities=(0.1, 0.5),
        factors=(0.5, 1.0),
        sweep_seeds=1,
        sweep_epochs=1,
        controls=1,
        workers=1,
    )
    result = mnist.run(config)
    assert len(result.rows) == 1 + 2 * 3  # the sweeps share a run a law
    assert {row.model for row in result.by_width} == {"mlp-64-8-10", "mlp-64-16-10"}
    code, rows = run_main(mnist, result, tmp_path, monkeypatch)
    assert code == (0 if all(ok for _, ok, _ in result.claims) else 1)
    assert len(rows) == len(result.rows)

    named_mnist = [replace(row, images="mnist", accuracy=0.98) for row in result.main]
    assert all(ok for _, ok, _ in mnist.claims(named_mnist, (), ()))
    low = [replace(row, accuracy=0.9749) for row in named_mnist]
    slow = [replace(row, seconds=1000.0) for row in named_mnist]
    for worse in (low, slow):
        assert [ok for _, ok, _ in mnist.claims(worse, (), ())] == [True, False]


def test_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(
        methods.Config(), out=tmp_path, hidden=(16,), seeds=1, epochs=1, controls=1, workers=1
    )
    jobs = methods.runs(config)
    assert {job.method for job in jobs} == set(NAMES)
    half = [job for job in jobs if job.density == 0.5]
    assert all(job.validation == 0 for job in jobs)
    assert [job.rate for job in half] == [methods.RATES[job.method] for job in half]
    row = shared.measure(small(controls=1))
    rows = [replace(row, variant=job.variant, density=job.density, accuracy=0.9) for job in jobs]
    rows = [
        replace(r, accuracy=0.3) if (r.variant, r.density) == ("edge-popup", 0.02) else r
        for r in rows
    ]
    rows = [replace(r, accuracy=0.95) if r.variant.startswith("iterand") else r for r in rows]
    result = methods.Result(tuple(rows), methods.claims(rows))
    stands = [ok for _, ok, _ in result.claims]
    assert stands == [True, False, True, True, True]  # 0.90 is not within two points of 0.95
    twice = methods.claims([r for r in rows for _ in range(2)])  # intervals of width 0
    assert [ok for _, ok, _ in twice] == [True, False, True, False, True]
    low = methods.claims([replace(r, accuracy=0.3) for r in rows])
    assert not low[-1][1]
    code, stored = run_main(methods, result, tmp_path, monkeypatch)
    assert code == 1
    assert len(stored) == len(jobs)


def test_methods_are_tuned_on_validation_images(tmp_path: Path) -> None:
    config = replace(
        methods.Config(), out=tmp_path, hidden=(8,), tune_epochs=1, validation=200, workers=1
    )
    rows = methods.tuned(config)
    assert {row.judged_by for row in rows} == {"validation"}
    assert {row.variant.partition(",")[0] for row in rows} == set(NAMES)


def test_tickets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tickets.Config(
        out=tmp_path,
        hidden=(16, 12),
        densities=(0.5,),
        seeds=2,
        epochs=1,
        head_epochs=1,
        teacher=(8, 12, 4),
        planted=(0.3,),
        planted_steps=100,
        planted_seeds=1,
    )
    result = tickets.run(config)
    same, *rest = result.claims
    assert same[1], same
    assert len(rest) == 7
    assert {p.differ for p in result.pairs} == {
        "initial scores", "order of the data", "images", "nothing"
    }  # fmt: skip
    code, rows = run_main(tickets, result, tmp_path, monkeypatch)
    assert code == (0 if all(ok for _, ok, _ in result.claims) else 1)
    assert len(rows) == len(result.pairs)
    chance = [replace(p, p_more=0.5) for p in result.pairs]
    assert not tickets.claims(chance, result.moved, result.found)[1][1]
    far = [replace(f, distance=2.0, random_distance=1.0) for f in result.found]
    assert not tickets.claims(result.pairs, result.moved, far)[-2][1]


def test_cifar_on_the_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = cifar.Config(
        **cifar.QUICK | {"epochs": 1, "densities": (0.5,), "out": tmp_path / "one"}
    )
    result = cifar.run(config)
    assert [row.method for row in result.rows] == ["edge-popup", "iterand"]
    assert {row.hardware.split()[0] for row in result.rows} == {"CPU"}
    assert cifar.run(config) == result  # out of the files
    code, rows = run_main(cifar, result, tmp_path, monkeypatch)
    assert code == (0 if all(ok for _, ok, _ in result.claims) else 1)
    assert len(rows) == 2
    six = [replace(row, model="conv-6", accuracy=0.9) for row in result.rows]
    six[1] = replace(six[1], accuracy=0.91)
    assert all(ok for _, ok, _ in cifar.claims(six))
    six[0] = replace(six[0], accuracy=0.87)
    assert [ok for _, ok, _ in cifar.claims(six)] == [True, True, False]


def test_cifar_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="CUDA device"):
        cifar.run(cifar.Config())
    with pytest.raises(InputError, match="folder of CIFAR-10"):
        cifar.run(cifar.Config(device="cpu"))


def test_crops_and_flips_are_those_of_the_padded_image() -> None:
    shape, count = (3, 8, 8), 40
    x = torch.randn(count, 192, generator=torch.Generator().manual_seed(0))
    varied = cifar.varied(x, shape, torch.Generator().manual_seed(1)).reshape(count, *shape)
    padded = torch.nn.functional.pad(x.reshape(count, *shape), (4, 4, 4, 4))
    flips = set()
    for image, given in zip(varied, padded, strict=True):
        found = [
            (flip, i, j)
            for flip in (False, True)
            for i in range(9)
            for j in range(9)
            if torch.equal(
                image,
                given[:, i : i + 8, j : j + 8].flip(2) if flip else given[:, i : i + 8, j : j + 8],
            )
        ]
        assert found
        flips.add(found[0][0])
    assert flips == {False, True}


def test_random_masks_get_statistics_of_their_own() -> None:
    data = cifar.loaded(shared.images(""), torch.device("cpu"), 0)
    assert abs(float(data.x.mean())) < 1e-5
    assert float(data.x.std()) == pytest.approx(1, abs=1e-3)
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(64, affine=False), named("mlp-64-8-10"))
    model[0].running_mean += 100.0
    cifar.settled(model, data)
    means = torch.stack([part.mean(0) for part in torch.split(data.x[:2560], 256)]).mean(0)
    assert torch.allclose(model[0].running_mean, means, atol=1e-5)


def test_the_command_has_scope_ratio_ramp_and_temperature() -> None:
    data = shared.images("")
    command = Search(model="mlp-64-16-10", density=0.1, epochs=1, scope="global", ramp=0.5)
    layers = command.find(data, lambda *_: None).ticket.mask
    assert sum(entries.kept for entries in layers.values()) == keep_count(0.1, 64 * 16 + 160)
    one = replace(command, temperature=1.0).find(data, lambda *_: None).ticket
    assert one.mask != layers  # the loss was another
    shared_out = replace(command, scope="layer", ratio="erk").find(data, lambda *_: None).ticket
    first, last = (entries.density for entries in shared_out.mask.values())
    assert first < last
    with pytest.raises(InputError, match="temperature"):
        replace(command, temperature=0.0).find(data, lambda *_: None)
