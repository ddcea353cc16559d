"""Lotteries: exact counts round by round, what is gone back to, resuming, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pruning_models import convnet, mlp
from torch import Tensor, nn

from strongticket.datasets import digits
from strongticket.errors import FileError, InputError
from strongticket.pruning import LENET_300_100, LeNet, lottery, one_shot, retrain, state_of
from strongticket.search import keep_count
from strongticket.training import History, Recipe, Trainer, hold, split

RECIPE = Recipe(steps=12, batch=100, rate=5e-3, every=6)
NAMES = ("0.weight", "2.weight", "4.weight")


def trainer(**change: Any) -> Trainer:
    return Trainer(split(digits(), 200), Recipe(**{**vars(RECIPE), **change}))


def model(seed: int = 0) -> nn.Sequential:
    return mlp(64, 20, 12, 10, seed=seed)


class Log:
    """A user's own training: writes down how it was called, and does one known thing."""

    def __init__(self, drift: float = 0.0) -> None:
        self.calls: list[tuple[int, int | None, dict[str, Tensor], int]] = []
        self.drift = drift

    def __call__(
        self, model: nn.Module, masks: Mapping[str, Tensor], start: int, stop: int | None
    ) -> dict[str, Any]:
        self.calls.append((start, stop, state_of(model), len(masks)))
        with torch.no_grad():
            for name, p in model.named_parameters():
                change = torch.linspace(-1, 1, p.numel()).reshape(p.shape) * (1 + len(self.calls))
                p.add_(change * masks[name] if name in masks else change)
                p.add_(self.drift)
        return {"call": len(self.calls)}


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_counts_are_exact_and_masks_nested(scope: Any) -> None:
    # The official codes compare with the cut-off strictly, and so prune n + 1.
    found = lottery(model(), trainer(), rounds=3, keep=0.8, scope=scope)
    left = {"0.weight": 1280, "2.weight": 240, "4.weight": 120}
    assert found.rounds[0].kept == left
    for before, after in zip(found.rounds, found.rounds[1:], strict=False):
        if scope == "layer":
            left = {name: keep_count(0.8, n) for name, n in left.items()}
            assert after.kept == left
        else:
            total = sum(before.kept.values())
            assert sum(after.kept.values()) == keep_count(0.8, total)
        for name in NAMES:
            assert not (after.masks[name] & ~before.masks[name]).any()
            final = before.final[name].abs()
            assert int(after.final[name][~after.masks[name]].count_nonzero()) == 0
            if scope == "layer":  # exactly the smallest final magnitudes went
                gone = before.masks[name] & ~after.masks[name]
                assert float(final[after.masks[name]].min()) >= float(final[gone].max())
    assert found.at(0.64) is found.rounds[2]
    assert found.rounds[2].density == pytest.approx(0.64, abs=2e-3)


def test_ties_do_not_change_the_count() -> None:
    def flat(model: nn.Module, masks: Any, start: int, stop: int | None) -> None:
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.fill_(0.5)
                if name in masks:
                    p.mul_(masks[name])

    found = lottery(model(), flat, rounds=2, keep=0.5)
    assert found.rounds[2].kept == {"0.weight": 320, "2.weight": 60, "4.weight": 30}


def test_the_output_layer_keeps_a_fraction_of_its_own() -> None:
    found = lottery(model(), Log(), rounds=2, keep=0.8, keep_of={"4.*": 0.9}, exclude=["2.weight"])
    assert found.rounds[2].kept == {"0.weight": 819, "4.weight": 97}
    assert found.rounds[2].densities["4.weight"] == 97 / 120


def test_reset_goes_back_to_the_initial_weights_kept_ones_included() -> None:
    # A published callback masks, and never rewinds the weights that stay.
    log, first = Log(), model()
    initial = state_of(first)
    found = lottery(first, log, rounds=2)
    assert [call[:2] for call in log.calls] == [(0, None)] * 3
    for one, (_, _, state, held) in zip(found.rounds, log.calls, strict=True):
        assert held == (3 if one.index else 0)
        for name, value in state.items():
            wanted = initial[name] * one.masks[name] if name in one.masks else initial[name]
            assert torch.equal(value, wanted)
    assert all(torch.equal(found.initial[n], initial[n]) for n in initial)
    assert all(torch.equal(found.rewound[n], initial[n]) for n in initial)
    for name, value in first.state_dict().items():
        assert torch.equal(value, found.rounds[-1].final[name])


def test_late_rewinding_goes_back_to_iteration_k() -> None:
    log, first = Log(), model()
    found = lottery(first, log, rounds=2, rewind=5, end=12)
    assert [call[:2] for call in log.calls] == [(0, 5), (5, 12), (5, 12), (5, 12)]
    at_five = log.calls[1][2]
    assert not torch.equal(at_five["0.weight"], found.initial["0.weight"])
    assert all(torch.equal(found.rewound[n], at_five[n]) for n in at_five)
    last = log.calls[3][2]
    for name, mask in found.rounds[2].masks.items():
        assert torch.equal(last[name], at_five[name] * mask)


def test_rate_rewinding_and_fine_tuning_keep_the_weights() -> None:
    for options, spans in (
        ({"back": "rate", "rewind": 5}, [(0, None), (5, None), (5, None)]),
        ({"back": "nothing", "end": 12, "tune": 3}, [(0, 12), (12, 15), (12, 15)]),
    ):
        log = Log()
        found = lottery(model(), log, rounds=2, **options)  # type: ignore[arg-type]
        assert [call[:2] for call in log.calls] == spans
        for one, call in zip(found.rounds[1:], log.calls[1:], strict=True):
            before = found.rounds[one.index - 1].final
            for name, mask in one.masks.items():
                assert torch.equal(call[2][name], before[name] * mask)


def test_norm_statistics_are_rewound_too() -> None:
    data = split(digits(), 200, shape=(1, 8, 8))
    net = convnet()
    net[0] = nn.Conv2d(1, 6, 3, padding=1)
    net[7] = nn.AdaptiveAvgPool2d(2)
    net[10] = nn.Linear(20, 10)
    before = state_of(net)
    found = lottery(net, Trainer(data, RECIPE), rounds=1)
    assert not torch.equal(found.rounds[0].final["1.running_mean"], before["1.running_mean"])
    assert torch.equal(found.initial["1.running_mean"], before["1.running_mean"])
    assert set(found.rounds[1].masks) == {"0.weight", "4.weight", "10.weight"}


def test_other_criteria_and_one_shot() -> None:
    found = lottery(model(), trainer(), rounds=2, by="magnitude_increase")
    grown = lambda r, n: r.final[n].abs() - found.initial[n].abs()  # noqa: E731
    first, second = found.rounds[0], found.rounds[1]
    for name in NAMES:
        gone = ~second.masks[name]
        assert grown(first, name)[second.masks[name]].min() >= grown(first, name)[gone].max()
    masks = one_shot(found.rounds[0], found.initial, found.rounds[2].kept)
    assert {n: int(m.sum()) for n, m in masks.items()} == found.rounds[2].kept
    for name, mask in masks.items():
        final = found.rounds[0].final[name].abs()
        assert float(final[mask].min()) >= float(final[~mask].max())
    together = one_shot(found.rounds[0], found.initial, 100)
    assert sum(int(m.sum()) for m in together.values()) == 100


def test_small_criteria_do_not_bring_pruned_weights_back() -> None:
    found = lottery(model(), trainer(), rounds=3, by="small_final", keep=0.5)
    for before, after in zip(found.rounds, found.rounds[1:], strict=False):
        for name in NAMES:
            assert not (after.masks[name] & ~before.masks[name]).any()


def test_retrain_is_the_round_again_and_the_controls() -> None:
    found = lottery(model(), trainer(), rounds=2)
    last = found.rounds[2]
    again = retrain(model(seed=9), found.initial, last.masks, trainer())
    assert again == last.history
    other = retrain(model(), state_of(model(seed=1)), last.masks, trainer())
    assert isinstance(other, History)
    assert other != last.history


def test_resuming_is_as_if_never_stopped(tmp_path: Path) -> None:
    plain = lottery(model(), trainer(), rounds=3, rewind=4)

    class StopError(Exception):
        pass

    def stopping(one: Any) -> None:
        if one.index == 1:
            raise StopError

    with pytest.raises(StopError):
        lottery(model(), trainer(), rounds=3, rewind=4, folder=tmp_path, progress=stopping)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "round-000.pt",
        "round-001.pt",
        "start.pt",
    ]
    seen: list[int] = []
    resumed_model = model()
    calls: list[int] = []

    def counting(*args: Any) -> History:
        calls.append(args[2])
        return trainer()(*args)

    resumed = lottery(
        resumed_model,
        counting,
        rounds=3,
        rewind=4,
        folder=tmp_path,
        progress=lambda one: seen.append(one.index),
    )
    assert seen == [0, 1, 2, 3]
    assert calls == [4, 4]  # rounds 2 and 3 only
    for a, b in zip(plain.rounds, resumed.rounds, strict=True):
        assert a.history == b.history
        assert all(torch.equal(a.masks[n], b.masks[n]) for n in NAMES)
        assert all(torch.equal(a.final[n], b.final[n]) for n in a.final)
    again = lottery(model(), counting, rounds=3, rewind=4, folder=tmp_path)
    assert calls == [4, 4]  # all read, nothing trained
    assert again.rounds[3].history == plain.rounds[3].history


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    lottery(model(), Log(), rounds=1, folder=tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    for given, options in ((model(seed=1), {}), (model(), {"keep": 0.7}), (model(), {"rewind": 1})):
        with pytest.raises(FileError, match="another run"):
            lottery(given, Log(), rounds=1, folder=tmp_path, **options)  # type: ignore[arg-type]
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    half = before["round-001.pt"][: len(before["round-001.pt"]) // 2]
    (tmp_path / "round-001.pt").write_bytes(half)
    with pytest.raises(FileError, match="no file of a lottery"):
        lottery(model(), Log(), rounds=1, folder=tmp_path)
    (tmp_path / "round-001.pt").write_bytes(before["round-001.pt"])
    (tmp_path / "round-000.pt").write_bytes(before["round-001.pt"])
    with pytest.raises(FileError, match="other masks"):
        lottery(model(), Log(), rounds=1, folder=tmp_path)


def test_a_history_that_cannot_be_read_safely_is_refused_at_once(tmp_path: Path) -> None:
    def odd(*_: Any) -> object:
        return object()

    with pytest.raises(InputError, match="read safely"):
        lottery(model(), odd, rounds=1, folder=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["start.pt"]


def test_training_that_lets_pruned_weights_grow_is_noticed() -> None:
    with pytest.raises(InputError, match=r"0\.weight has 256 that are not"):
        lottery(model(), Log(drift=0.1), rounds=1)

    def held(net: nn.Module, masks: Mapping[str, Tensor], start: int, stop: int | None) -> None:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        x, y = torch.randn(10, 64, generator=torch.Generator().manual_seed(0)), torch.arange(10)
        with hold(net, optimizer, masks):
            for _ in range(3):
                nn.functional.cross_entropy(net(x), y).backward()
                optimizer.step()

    lottery(model(), held, rounds=2)  # the documented way passes


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rounds": -1}, "rounds"),
        ({"rounds": 1.5}, "rounds"),
        ({"keep": 0.0}, "fraction kept"),
        ({"keep": 1.2}, "fraction kept"),
        ({"keep_of": {"9.*": 0.5}}, "matches none"),
        ({"keep_of": {"0.*": 0.0}}, "fraction kept"),
        ({"keep_of": {"0.*": 0.5}, "scope": "global"}, "keep_of needs"),
        ({"scope": "model"}, "scope is"),
        ({"back": "start"}, "back is"),
        ({"back": "nothing"}, "needs end="),
        ({"tune": 3}, "tune is for"),
        ({"rewind": 5, "end": 5}, "before the end"),
        ({"rewind": -1}, "rewind"),
        ({"by": "largest"}, "criterion is one of"),
        ({"include": ["9.*"]}, "leave no parameter"),
    ],
)
def test_bad_arguments_come_before_any_training(options: dict[str, Any], says: str) -> None:
    log = Log()
    with pytest.raises(InputError, match=says):
        lottery(model(), log, **{"rounds": 1, **options})
    assert log.calls == []


def test_retrain_refuses_what_does_not_fit() -> None:
    masks = {"0.weight": torch.ones(20, 64, dtype=torch.bool)}
    with pytest.raises(InputError, match="not one of this model"):
        retrain(model(), {"x": torch.ones(1)}, masks, Log())
    with pytest.raises(InputError, match="no such parameter"):
        retrain(model(), state_of(model()), {"y": masks["0.weight"]}, Log())


def test_the_published_configuration() -> None:
    config = LENET_300_100
    assert config.recipe == Recipe(steps=50_000, batch=60, optimizer="adam", rate=1.2e-3, every=100)
    assert (config.validation, config.keep, config.keep_output) == (5_000, 0.8, 0.9)
    net = config.model(seed=4)
    shapes = {n: tuple(p.shape) for n, p in net.named_parameters()}
    assert shapes["0.weight"] == (300, 784)
    assert shapes[config.output] == (10, 100)
    assert float(net[0].weight.detach().std()) == pytest.approx((2 / 1084) ** 0.5, rel=0.01)
    assert not net[0].bias.any()
    assert torch.equal(net[0].weight, config.model(seed=4)[0].weight)
    assert not torch.equal(net[0].weight, config.model(seed=5)[0].weight)


def test_the_published_configuration_made_small_runs() -> None:
    config = LeNet(widths=(64, 20, 10), recipe=RECIPE, validation=200)
    data = config.split(digits())
    found = config.lottery(data, seed=0, rounds=2)
    assert found.rounds[2].kept == {"0.weight": 819, "2.weight": 162}
    assert found.rounds[2].history.early_stop.test_accuracy is not None
    again = config.lottery(data, seed=0, rounds=2)
    assert again.rounds[2].history == found.rounds[2].history
    assert config.with_steps(3).recipe.steps == 3
