"""Strategies reach their extremes, shrink to the simplest value, and refuse bad arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from strongticket import MLP, Ball, Box, Network, Normal, SignedConstant, Target, Uniform
from strongticket.errors import InputError
from strongticket.subsetsum import best
from strongticket.testing import (
    architectures,
    domains,
    dyadics,
    from_theorem,
    inputs,
    laws,
    masks,
    networks,
    neuron_masks,
    oracles,
    subset_sums,
    targets,
    tickets,
    two_layer_tickets,
)
from strongticket.theorems import Hypothesis, pensia2020, random_subset_sum
from strongticket.verify import certify, collapse

SEARCH = settings(max_examples=2000, derandomize=True, database=None, deadline=None)
NETWORK = Network.mlp((3, 4, 2), laws=Uniform(1.0), seed=0, biases=(True, False))


def found(strategy: Any, condition: Callable[[Any], bool]) -> Any:
    """The simplest value that meets a condition; NoSuchExample where 2,000 draws meet it never."""
    return find(strategy, condition, settings=SEARCH)


def reached(strategy: Any, condition: Callable[[Any], bool]) -> Any:
    """A value that meets a condition, not shrunk."""
    return find(strategy, condition, settings=settings(SEARCH, phases=[Phase.generate]))


def kept(ticket: Any) -> int:
    return int(ticket.mask.kept)


# ---- extremes: (what, strategy, condition)

EXTREMES: list[tuple[str, Any, Callable[[Any], bool]]] = [
    ("least dyadic", dyadics(), lambda v: v == -1),
    ("greatest dyadic", dyadics(0, 1), lambda v: v == 1),
    ("finest dyadic", dyadics(), lambda v: v == 2.0**-24),
    ("odd end", dyadics(odd=True), lambda v: v == 1 - 2.0**-24),
    ("smallest scale", laws(), lambda law: law.scale == 2.0**-8),
    ("largest scale", laws(SignedConstant, exact=True), lambda law: law.scale == 2.0**8),
    ("scale off the grid", laws(Normal), lambda law: law.exponent is None),
    ("signed", laws(), lambda law: isinstance(law, SignedConstant)),
    ("no candidates", subset_sums(), lambda p: p.candidates.shape[-1] == 0 and len(p) == 3),
    ("most candidates", subset_sums(max_n=16), lambda p: p.candidates.shape == (3, 16)),
    ("shared", subset_sums(), lambda p: p.candidates.ndim == 1 and p.candidates.size > 4),
    ("duplicates", subset_sums(), lambda p: _copies(p.row(0)[0], 3)),
    ("all zero", subset_sums(), lambda p: len(p.row(0)[0]) > 3 and not any(p.row(0)[0])),
    ("a tie", subset_sums(), lambda p: _tied(*p.row(0))),
    ("planted", subset_sums(), lambda p: len(p.row(0)[0]) > 5 and _reached(*p.row(0))),
    ("out of reach", subset_sums(), lambda p: _beyond(*p.row(0))),
    ("2^60 steps", subset_sums(floats=False), lambda p: _reach(p) > 2**60 - 2**5),
    ("far below", subset_sums(floats=False), lambda p: p.targets.min() < -(2**59)),
    ("epsilon 0", subset_sums(), lambda p: p.epsilon == 0 and p.candidates.size > 3),
    ("large epsilon", subset_sums(floats=False), lambda p: p.epsilon > 2**39),
    ("half-way", subset_sums(floats=True), lambda p: _halfway(*p.row(0))),
    ("deepest", architectures(), lambda a: a.depth == 3 and set(a.widths) == {5}),
    ("all biases", architectures(), lambda a: a.depth == 3 and all(a.biases)),
    ("largest seed", networks(), lambda n: n.seed == 2**64 - 1),
    ("mixed laws", networks(), lambda n: len({type(p.law) for p in n.parameters}) == 3),
    ("nothing kept", masks(NETWORK), lambda m: m.kept == 0),
    ("all kept", masks(NETWORK), lambda m: m.kept == m.total),
    ("one kept", masks(NETWORK), lambda m: m.kept == 1),
    ("sparse", masks(NETWORK), lambda m: m["layers.0.weight"].bits is None and m.kept > 5),
    ("whole neurons", neuron_masks(NETWORK), lambda m: m["layers.0.bias"].kept == 2),
    ("no neuron", neuron_masks(NETWORK), lambda m: m.kept == 0),
    ("dead neuron", tickets(), lambda t: _dead(t)),
    ("own bias read", two_layer_tickets(), lambda t: "layers.2.bias" in t.mask and kept(t) > 9),
    ("both signs", two_layer_tickets(), lambda t: _signs(t)),
    ("negative box", domains(), lambda d: isinstance(d, Box) and d.low == -2 and d.high < 0),
    ("a point", domains(Box), lambda d: d.low == d.high != 0),
    ("largest ball", domains(), lambda d: isinstance(d, Ball) and d.radius == 2),
    ("zero target", targets(), lambda t: t.depth == 3 and not any(w.any() for w in t.weights)),
    ("full target", targets(), lambda t: all(np.abs(w).max() == 1 for w in t.weights)),
    ("a corner", inputs(Box(-1.0, 2.0), 3), lambda x: x.tolist() == [-1.0, 2.0, -1.0]),
    ("on the sphere", inputs(Ball(1.5), 2), lambda x: x.tolist() == [0.0, -1.5]),
    ("delta near 0", from_theorem(random_subset_sum.R1), lambda v: v["delta"] < 1e-8),
    ("delta near 1", from_theorem(random_subset_sum.R1), lambda v: v["delta"] > 1 - 1e-8),
    ("coarse eta", from_theorem(random_subset_sum.R1), lambda v: v["eta"] == 0.5),
    ("fine eta", from_theorem(random_subset_sum.PRODUCT), lambda v: v["eta"] < 1e-5),
    ("extremal eta", from_theorem(random_subset_sum.PRODUCT), lambda v: v["eta"] == 0.001),
    ("R at eta", from_theorem(random_subset_sum.COUNTING), lambda v: v["R"] == v["eta"]),
]


def _copies(row: list[Any], times: int) -> bool:
    return any(v and row.count(v) >= times for v in row)


def _tied(row: list[Any], target: Any) -> bool:
    distances = oracles.distances(row, target)
    least = min(distances)
    return least > 0 and distances.count(least) > 2


def _reached(row: list[Any], target: Any) -> bool:
    return target != 0 and oracles.best_distance(row, target) == 0


def _beyond(row: list[Any], target: Any) -> bool:
    return len(row) > 2 and target > sum(v for v in row if v > 0)


def _reach(problem: Any) -> int:
    return sum(abs(v) for v in problem.row(0)[0])


def _halfway(row: list[Any], target: Any) -> bool:
    distances = oracles.distances(row, target)
    return min(distances) > 0 and distances.count(min(distances)) > 1


def _dead(ticket: Any) -> bool:
    if any(ticket.network.architecture.biases) or ticket.network.architecture.depth < 2:
        return False
    arrays = [ticket.mask[n].dense().tolist() for n in ticket.network.masked]
    alive = oracles.live_neurons(arrays)
    return ticket.mask.kept > 2 and not all(map(all, alive)) and any(alive[1])


def _signs(ticket: Any) -> bool:
    first = collapse(ticket)[0]
    return bool(first.plus.any() and first.minus.any())


@pytest.mark.parametrize(
    ("strategy", "condition"), [pytest.param(*rest, id=what) for what, *rest in EXTREMES]
)
def test_extremes_are_reached(strategy: Any, condition: Callable[[Any], bool]) -> None:
    assert condition(reached(strategy, condition))


def test_the_search_for_an_extreme_can_fail() -> None:
    with pytest.raises(NoSuchExample):
        reached(dyadics(0, 1), lambda v: v > 1)


# ---- shrinking


def simplest(strategy: Any) -> Any:
    return found(strategy, lambda value: True)


def test_the_simplest_values() -> None:
    assert simplest(dyadics()) == 0
    assert simplest(dyadics(0.25, 1)) == 0.25
    assert simplest(dyadics(odd=True)) == 2.0**-24
    assert simplest(laws()) == Uniform(1.0)
    problem = simplest(subset_sums())
    assert (problem.candidates.shape[-1], problem.targets.tolist(), problem.epsilon) == (0, [0], 0)
    assert simplest(architectures()) == MLP((1, 1), (False,))
    assert simplest(networks()) == Network.mlp((1, 1), laws=Uniform(1.0), seed=0)
    for strategy in (masks(), neuron_masks(NETWORK), masks(NETWORK)):
        least = simplest(strategy)
        assert next(iter(least.values())).bits is not None
        assert least.kept == 0
    assert kept(simplest(tickets())) == kept(simplest(two_layer_tickets())) == 0
    assert simplest(domains()) == Ball(0.0)
    assert simplest(domains(Box)) == Box(0.0, 0.0)
    assert simplest(targets(Box(0.0, 1.0))).digest == Target([([[0.0]], None)], Box(0, 1)).digest
    assert simplest(inputs(Box(-1.0, 1.0), 2)).tolist() == [0.0, 0.0]
    assert simplest(inputs(Box(1.0, 2.0), 1)).tolist() == [1.0]
    assert simplest(inputs(Ball(1.0), 2)).tolist() == [0.0, 0.0]
    assert simplest(from_theorem(pensia2020.LOWER)) == {"epsilon": 0.375}


def test_failures_shrink_to_what_they_are_about() -> None:
    problem = found(subset_sums(), lambda p: len(p.row(0)[0]) >= 2 and _reached(*p.row(0)))
    assert problem.candidates.shape[-1] == 2
    assert len(problem) == 1
    assert max(abs(v) for v in problem.row(0)[0]) == 1
    ticket = found(tickets(), lambda t: t.mask.kept >= 3)
    assert (kept(ticket), ticket.network.seed) == (3, 0)
    assert {p.law for p in ticket.network.parameters} == {Uniform(1.0)}
    assert sum(p.numel for p in ticket.network.parameters) <= 6
    target = found(targets(), lambda t: t.depth == 2 and t.weights[1].max() > 0.5)
    assert (target.widths, target.weights[1].max()) == ((1, 1, 1), 0.5 + 2.0**-8)
    law = found(laws(), lambda law: law.scale is not None and law.scale > 1)
    assert law == Uniform(2.0)


# ---- values are what they say


@given(dyadics(-0.7, 3.1, exponent=-5), dyadics(-1, 1, exponent=-3, odd=True))
def test_dyadics_lie_on_their_grid(value: float, odd: float) -> None:
    assert -0.7 <= value <= 3.1
    assert (value * 32).is_integer()
    assert (odd * 8) % 2 == 1


@given(subset_sums(max_n=6))
def test_problems_are_taken_by_the_solvers(problem: Any) -> None:
    answer = best(problem.candidates, problem.targets, backend="numpy")
    assert len(answer) == len(problem)
    assert problem.epsilon >= 0
    assert problem.candidates.dtype == problem.targets.dtype


@given(st.data())
def test_inputs_lie_in_their_domain_exactly(data: Any) -> None:
    domain = data.draw(
        st.one_of(
            domains(),
            st.builds(Ball, st.floats(0, 1e6)),
            st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(
                lambda ends: Box(min(ends), max(ends))
            ),
        )
    )
    x = data.draw(inputs(domain, data.draw(st.integers(1, 4))))
    if isinstance(domain, Box):
        assert (x >= domain.low).all()
        assert (x <= domain.high).all()
    else:
        assert sum(Fraction(v) ** 2 for v in x.tolist()) <= Fraction(domain.radius) ** 2


@given(neuron_masks())
def test_neuron_masks_keep_whole_neurons(mask: Any) -> None:
    for i in range(10):
        name = f"layers.{i}.weight"
        if name not in mask:
            break
        bits = mask[name].dense()
        alive = bits.any(0)
        assert all((row == alive).all() or not row.any() for row in bits)


@given(two_layer_tickets())
@settings(max_examples=40)
def test_two_layer_tickets_can_be_certified(ticket: Any) -> None:
    layers = collapse(ticket)
    widths = ticket.network.architecture.widths[::2]
    target = Target(
        [(np.zeros((b, a), np.float32), None) for a, b in pairwise(widths)],
        Box(-1.0, 1.0),
    )
    assert len(layers) == len(widths) - 1
    assert certify(ticket, target).exact_bound >= 0


THEOREMS = (
    random_subset_sum.R1,
    random_subset_sum.R1PLUS,
    random_subset_sum.R1PLUS_WHOLE,
    random_subset_sum.DYNAMIC_PROGRAM,
    random_subset_sum.PRODUCT,
    random_subset_sum.COUNTING,
    pensia2020.PUBLISHED,
    pensia2020.FIRST,
    pensia2020.EXPLICIT,
    pensia2020.LOWER,
)


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.key)
@settings(max_examples=25)
@given(data=st.data())
def test_theorems_take_the_values_that_are_drawn_for_them(theorem: Any, data: Any) -> None:
    values = data.draw(from_theorem(theorem))
    if "target" in values:
        network = theorem.network(**values, seed=0)
        assert network.architecture.widths[::2] == values["target"].widths
    elif "eta" in values and "R" not in values and theorem.key != "dacunha2022_dp":
        assert theorem.width(**values) >= 1


def test_parts_of_a_theorem_can_be_given() -> None:
    values = simplest(
        from_theorem(random_subset_sum.COUNTING, R=st.just(2.0), extra=st.just("more"))
    )
    assert values == {"R": 2.0, "eta": 0.05, "extra": "more"}
    strange = pensia2020.LOWER
    other = type(strange)(
        **{
            **{f: getattr(strange, f) for f in strange.__dataclass_fields__},
            "hypotheses": (Hypothesis("odd", lambda phase: None),),
        }
    )
    with pytest.raises(InputError, match="phase, for which no strategy is known"):
        from_theorem(other)
    assert simplest(from_theorem(other, phase=st.just(1))) == {"phase": 1}


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: dyadics(0, math.inf), "finite bounds"),
    (lambda: dyadics(0, math.nan), "finite bounds"),
    (lambda: dyadics(1, 0), "no multiple"),
    (lambda: dyadics(0.1, 0.2, exponent=0), "no multiple"),
    (lambda: dyadics(0, 0, odd=True), "no odd multiple"),
    (lambda: dyadics(0, 1, exponent=-60), "coarser exponent"),
    (lambda: dyadics(exponent=-2000), "an exponent in"),
    (lambda: laws(exponents=(3, 1)), "least first"),
    (lambda: laws(exponents=(-200, 1)), "exponents within"),
    (lambda: laws(int), "laws knows Uniform"),
    (lambda: subset_sums(max_n=17), "max_n <= 16"),
    (lambda: subset_sums(max_rows=0), "max_rows >= 1"),
    (lambda: subset_sums(kinds=()), "kinds among"),
    (lambda: subset_sums(kinds=("huge",)), "kinds among"),
    (lambda: architectures(max_depth=0), "depths and widths >= 1"),
    (lambda: architectures(depths=(0, 2)), "depths and widths >= 1"),
    (lambda: architectures(depths=()), "depths and widths >= 1"),
    (lambda: two_layer_tickets(max_hidden=0), "sizes >= 1"),
    (lambda: domains(radius=math.inf), "finite radius"),
    (lambda: domains(radius=0.0), "radius >= 1/8"),
    (lambda: domains(int), "Box and Ball"),
    (lambda: targets(largest=1.0, exponent=-30), "largest weight between"),
    (lambda: targets(largest=0.0), "largest weight between"),
    (lambda: inputs(Box(0, 1), 0), "width >= 1"),
    (lambda: inputs("box", 1), "a Box or a Ball"),
    (lambda: from_theorem("r1"), "needs a Theorem"),
]


@pytest.mark.parametrize(("call", "says"), BAD)
def test_bad_arguments_are_refused_at_once(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        call()


def test_large_masks_come_from_a_seed() -> None:
    wide = Network.mlp((40, 30), laws=Uniform(1.0), seed=0)
    assert simplest(masks(wide)).kept == 0
    assert reached(masks(wide), lambda m: m.kept == m.total)
    assert reached(masks(wide), lambda m: 400 < m.kept < 800)
