"""What every theorem of the catalogue owes its reader; a new one is picked up by itself."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import math
import re
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strongticket import Ball, Box, Target, Ticket
from strongticket.activations import RELU
from strongticket.errors import InputError, ReachError
from strongticket.graph import gadget
from strongticket.networks import MLP
from strongticket.testing import oracles
from strongticket.theorems import THEOREMS, Shape, Theorem
from strongticket.verify import collapse

ROOT = Path(__file__).parents[2]
EACH = pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.key)
NUMBERED = [t for t in THEOREMS if t.falsifiable]
SHAPE, EPSILON, DELTA = Shape((6, 6, 6)), 0.1, 0.1


def constructs(theorem: Any) -> bool:
    """Whether a theorem says how its ticket is made, by overriding `example`."""
    return type(theorem).example is not Theorem.example


@cache
def example_of(key: str) -> Ticket:
    (theorem,) = [t for t in THEOREMS if t.key == key]
    found = theorem.example()
    assert found is not None
    return found


CONSTRUCTING = [t for t in THEOREMS if constructs(t)]
BUILT = pytest.mark.parametrize("theorem", CONSTRUCTING, ids=lambda t: t.key)


@EACH
def test_the_key_names_paper_module_and_script(theorem: Any) -> None:
    assert re.fullmatch(r"[a-z]+[0-9]{4}_[a-z0-9_]+", theorem.key)
    module = importlib.import_module(f"strongticket.theorems.{theorem.paper}")
    assert any(value is theorem for value in vars(module).values())
    assert (ROOT / "proofs_check" / f"{theorem.key}.py").is_file()


@EACH
def test_the_statement_says_whose_it_is(theorem: Any) -> None:
    assert theorem.title
    assert theorem.law
    assert theorem.false_bound
    own = "own result" in theorem.source
    assert own or re.search(r"arXiv|PMLR|openreview|Theorem|Corollary|Lemma|RSA", theorem.source)
    assert theorem.bound.latex.partition(" ")[0] in theorem.statement
    assert all(hypothesis.text for hypothesis in theorem.hypotheses)
    assert not theorem.falsifiable or theorem.proof or not own


@EACH
def test_what_is_unspecified_has_an_explicit_form(theorem: Any) -> None:
    if theorem.falsifiable:
        return
    (explicit,) = [t for t in THEOREMS if t.key == theorem.instead]
    assert explicit.falsifiable
    assert explicit.bound.kind == theorem.bound.kind
    assert explicit.paper == theorem.paper
    target = Target([(np.eye(2, dtype=np.float32) / 4, None)], Box(0.0, 1.0))
    values: dict[str, Any] = {name: 1 for name, _ in theorem.bound.meanings}
    for ask in (
        lambda: theorem.network(target, epsilon=0.1, delta=0.1, seed=0),
        lambda: theorem.bound(**values),
    ):
        with pytest.raises(InputError, match="unspecified"):
            ask()
    assert theorem.asks(SHAPE, EPSILON, DELTA) is None


@pytest.mark.parametrize("theorem", NUMBERED, ids=lambda t: t.key)
def test_what_a_theorem_asks_grows_with_what_is_asked(theorem: Any) -> None:
    asked = theorem.asks(SHAPE, EPSILON, DELTA)
    if asked is None:
        assert not constructs(theorem), "it constructs a network: say how large"
        return
    assert asked.constants in ("the paper's", "ours")
    assert asked.widths[0] == SHAPE.widths[0]
    assert asked.widths[-1] == SHAPE.widths[-1]
    assert asked.weights == sum(a * b for a, b in itertools.pairwise(asked.widths))
    for epsilon, delta in ((EPSILON / 2, DELTA), (EPSILON, DELTA / 100)):
        more = theorem.asks(SHAPE, epsilon, delta)
        assert more.depth >= asked.depth
        assert more.weights >= asked.weights


@BUILT
@pytest.mark.parametrize(("epsilon", "delta"), [(-1.0, 0.1), (0.1, 0.0), (0.1, 1.5)])
def test_values_outside_the_hypotheses_are_named(
    theorem: Any, epsilon: float, delta: float
) -> None:
    with pytest.raises(InputError, match=r"epsilon|delta"):
        theorem.asks(SHAPE, epsilon, delta)


_MADE = {"target", "plan", "domain", "source", "norms", "layer"}  # by the theorem itself
_JUNK = ("x", None, 1j, [1], math.nan, math.inf, 0, -1, 10**400, 1e-320)


@EACH
def test_no_value_breaks_a_hypothesis(theorem: Any) -> None:
    """Whatever comes, a hypothesis holds or an InputError says why not."""
    for hypothesis in theorem.hypotheses:
        if _MADE & set(hypothesis.names):
            continue
        for name, junk in itertools.product(hypothesis.names, _JUNK):
            values: dict[str, Any] = {**dict.fromkeys(hypothesis.names, 1), name: junk}
            with contextlib.suppress(InputError):
                hypothesis.require(**values)


_ORTHOGONAL = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


@BUILT
def test_what_is_asked_for_all_norm_one_targets_is_enough_for_one(theorem: Any) -> None:
    layers = [_ORTHOGONAL, np.eye(4)[:2]]
    target = Target([(w.astype(np.float32), None) for w in layers], Ball(1.0))
    asked = theorem.asks(Shape(target.widths), EPSILON, DELTA)
    try:
        network = theorem.network(target, EPSILON, DELTA, seed=0)
    except ReachError:
        assert "1 - eta" in asked.note  # weights of 1 are beyond its gadget
        return
    assert isinstance(network.architecture, MLP)
    widths = network.architecture.widths
    assert len(widths) <= len(asked.widths)  # fewer where bits of the weights are layers
    if len(widths) == len(asked.widths):
        assert all(own <= most for own, most in zip(widths, asked.widths, strict=True))
    assert max(widths) <= max(asked.widths)


# ---- what is constructed (properties 8, 16, 25, 26 and 36 of any construction)


@BUILT
def test_an_example_is_the_same_every_time_and_its_weights_come_from_the_seed(
    theorem: Any, tmp_path: Path
) -> None:
    ticket = example_of(theorem.key)
    again = theorem.example()
    assert again.ticket_id == ticket.ticket_id
    loaded = Ticket.load(ticket.save(tmp_path / "example.safetensors"))
    assert loaded == ticket
    assert loaded.ticket_id == ticket.ticket_id
    assert isinstance(ticket.network.architecture, MLP)
    for name in ticket.mask:
        flat = ticket.network.weights(name).reshape(-1)[ticket.mask[name].indices()]
        assert np.array_equal(ticket.kept_weights(name), flat)
    assert gadget(ticket).number_of_nodes() <= 200


@BUILT
def test_an_example_prunes_something_and_keeps_something(theorem: Any) -> None:
    mask = example_of(theorem.key).mask
    assert 0 < mask.kept < mask.total


@BUILT
def test_what_is_certified_is_the_pruned_network(theorem: Any) -> None:
    """Property 25: the effective layers of `collapse` are a plain forward pass, exactly."""
    ticket = example_of(theorem.key)
    architecture = ticket.network.architecture
    assert isinstance(architecture, MLP)
    if architecture.activation != RELU:
        return
    layers, copies = oracles.layers_of(ticket), collapse(ticket)
    random = np.random.default_rng(0)
    for _ in range(4):
        x = [Fraction(int(v), 1 << 8) for v in random.integers(0, 1 << 8, architecture.widths[0])]
        y = x
        for i, layer in enumerate(copies):
            unit = Fraction(2) ** layer.exponent
            y = [
                sum((int(w) * v for w, v in zip(row, y, strict=True)), Fraction(0)) * unit
                + int(b) * unit
                for row, b in zip(layer.plus.tolist(), layer.bias.tolist(), strict=True)
            ]
            if i < len(copies) - 1:
                y = [max(v, Fraction(0)) for v in y]
        assert y == oracles.forward(layers, x)
