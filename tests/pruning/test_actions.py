"""What kept weights start from and pruned weights hold: each action against its definition."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.pruning import kept_start, pruned_values, retrain
from strongticket.pruning.actions import KeptAction
from strongticket.training import Recipe, Split, Trainer, hold

State = dict[str, Tensor]


def states() -> tuple[State, State, State, State]:
    """Initial, final and fresh states of one layer with a bias, and the weights' mask."""
    draw = torch.Generator().manual_seed(4)
    first, last, fresh = (
        {"w": torch.randn(7, 9, generator=draw), "b": torch.randn(7, generator=draw)}
        for _ in range(3)
    )
    return first, last, fresh, {"w": torch.rand(7, 9, generator=draw) < 0.4}


@pytest.mark.parametrize("keep_sign", [True, False])
@pytest.mark.parametrize("action", get_args(KeptAction))
def test_kept_weights_start_from_what_the_action_says(action: Any, keep_sign: bool) -> None:
    first, _, fresh, masks = states()
    before = {n: v.clone() for n, v in first.items()}
    given: dict[str, Any] = {"fresh": fresh} if action == "reinit" else {}
    made = kept_start(action, first, masks, keep_sign=keep_sign, seed=3, **given)
    kept = masks["w"]
    new, old = made["w"][kept], first["w"][kept]
    assert torch.equal(made["w"][~kept], first["w"][~kept])
    assert torch.equal(made["b"], first["b"])
    assert all(torch.equal(first[n], before[n]) for n in first)
    if action == "rewind":
        assert torch.equal(new, old)
        return
    assert torch.equal(new.sign(), old.sign()) == keep_sign
    assert not torch.equal(new, old)
    if action == "reinit":
        assert torch.equal(new.abs(), fresh["w"][kept].abs())
        assert keep_sign or torch.equal(new, fresh["w"][kept])
    elif action == "reshuffle":
        assert torch.equal(new.abs().sort().values, old.abs().sort().values)
        assert keep_sign or torch.equal(new.sort().values, old.sort().values)
    else:
        spread = float((first["w"] - first["w"].mean()).square().mean().sqrt())
        assert torch.allclose(new.abs(), torch.full_like(new, spread))
        assert {-1.0, 1.0} == set(new.sign().tolist())


def test_draws_depend_on_the_seed_and_the_parameter() -> None:
    first, _, _, masks = states()
    twice = {"w": first["w"], "v": first["w"]}
    both = {"w": masks["w"], "v": masks["w"]}
    one, other = (kept_start("reshuffle", twice, both, seed=s) for s in (0, 1))
    assert torch.equal(one["w"], kept_start("reshuffle", twice, both, seed=0)["w"])
    assert not torch.equal(one["w"], other["w"])
    assert not torch.equal(one["w"], one["v"])


def test_pruned_weights_hold_what_the_action_says() -> None:
    first, last, _, masks = states()
    out = ~masks["w"]
    grown = out & (last["w"].abs() > first["w"].abs())
    assert 0 < int(grown.sum()) < int(out.sum())
    zero, freeze, some = (
        pruned_values(action, first, last, masks)["w"]
        for action in ("zero", "freeze", "freeze_grown")
    )
    assert not zero.any()
    assert torch.equal(freeze, first["w"] * out)
    assert torch.equal(some, first["w"] * grown)


@pytest.mark.parametrize(("optimizer", "decay"), [("adam", 0.0), ("adam", 0.1), ("sgd", 0.1)])
def test_frozen_weights_do_not_move_while_the_others_do(optimizer: Any, decay: float) -> None:
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 6, generator=draw), torch.randint(3, (40,), generator=draw)
    model = nn.Linear(6, 3)
    masks = {"weight": torch.rand(3, 6, generator=draw) < 0.5}
    start = {n: v.clone() for n, v in model.state_dict().items()}
    values = pruned_values("freeze", start, start, masks)
    recipe = Recipe(steps=9, batch=8, optimizer=optimizer, rate=0.1, weight_decay=decay)
    Trainer(Split(x, y, x, y, x, y), recipe, values=values)(model, masks)
    moved = model.weight.detach() != start["weight"]
    assert torch.equal(moved, masks["weight"])
    with pytest.raises(InputError, match="zero"):
        retrain(model, start, masks, Trainer(Split(x, y, x, y, x, y), recipe, values=values))


def test_what_does_not_fit_is_named() -> None:
    first, last, fresh, masks = states()
    with pytest.raises(InputError, match=r"one of rewind, .* got 'again'"):
        kept_start("again", first, masks)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="one of zero, freeze, freeze_grown, got 'ice'"):
        pruned_values("ice", first, last, masks)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="reinit, which needs it"):
        kept_start("reinit", first, masks)
    with pytest.raises(InputError, match="for the action reinit"):
        kept_start("rewind", first, masks, fresh=fresh)
    with pytest.raises(InputError, match=r"fresh must have w of shape \(7, 9\), got \(2,\)"):
        kept_start("reinit", first, masks, fresh={"w": torch.ones(2)})
    with pytest.raises(InputError, match=r"final must have w of shape .* got none of that name"):
        pruned_values("freeze", first, {}, masks)
    model = nn.Linear(9, 7, bias=False)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with (
        pytest.raises(InputError, match=r"values must have weight of shape \(7, 9\), got none"),
        hold(model, sgd, {"weight": masks["w"]}, values={}),
    ):
        pass
