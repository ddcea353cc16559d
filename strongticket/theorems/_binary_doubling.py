"""Random signs, powers of two by depth: how wide a bundle must be for every edge to be there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from strongticket import philox
from strongticket.construct import Block, binary_doubling
from strongticket.errors import ConstructionError, InputError
from strongticket.laws import SignedConstant
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import _plan
from strongticket.theorems._algebra import Finding
from strongticket.theorems._binary_mean import counts, resolutions, toy
from strongticket.theorems._evidence import (
    CAN_REFUTE,
    IDENTITIES,
    RECOMPUTES,
    SHOWS_CASE,
    SHOWS_CASES,
    Effort,
    Row,
    algebra,
    failures,
    slope,
)
from strongticket.theorems._integer_network import agrees
from strongticket.theorems._size import Asked, Shape
from strongticket.theorems._theorem import Theorem
from strongticket.tickets import Ticket
from strongticket.verify import certify


def least_bundle(**values: Fraction) -> int:
    """The least r >= 1 with L K(r) 2^-r <= delta."""
    limit = values["delta"] / values["L"]
    bits, g, d_in, d_out = (int(values[name]) for name in ("B", "g", "d_in", "d_out"))
    r = 1
    while events(r, bits, g, d_in, d_out) > limit * (1 << r):
        r += 1
    return r


def events(r: int, bits: int, g: int, d_in: int, d_out: int) -> int:
    """K(r): what the proof's union bound adds up to, in units of 2^-r."""
    level = r * (r + 1) * g * d_in + 2 * r * d_out * (g * d_in + 1)
    return (bits - 1) * level + 2 * d_out * (g * d_in + 1)


@dataclass(frozen=True, kw_only=True)
class BinaryDoubling(Theorem):
    """Every weight is B bits; powers of two come from depth, signs from two accounts."""

    def plan(self, target: Target, epsilon: float) -> tuple[Block, ...]:
        """The blocks that keep the target within epsilon, bundles still empty (r = 1)."""
        self.require(epsilon=epsilon)
        blocks = []
        for i, (shift, groups) in enumerate(resolutions(target, epsilon)):
            d_out, d_in = target.weights[i].shape
            scaled = np.rint(np.ldexp(target.weights[i].astype(np.float64), shift))
            size = int(np.abs(scaled).max())
            if size >= 1 << 60:
                raise InputError(
                    f"layer {i} needs {size.bit_length()} bits for epsilon {epsilon:g}; this "
                    "construction has 60 at the most: ask for less accuracy"
                )
            blocks.append(Block(d_in, d_out, max(1, size.bit_length()), 1, groups, shift))
        return tuple(blocks)

    def bundle(self, block: Block, depth: int, delta: float | Fraction) -> int:
        """r: the neurons of every bundle of one block."""
        return self.bound(
            B=block.bits,
            L=depth,
            g=block.groups,
            d_in=block.inputs,
            d_out=block.outputs,
            delta=delta,
        )

    def blocks(self, target: Target, epsilon: float, delta: float) -> tuple[Block, ...]:
        """The blocks of the statement."""
        self.require(delta=delta)
        return tuple(
            replace(block, bundle=self.bundle(block, target.depth, delta))
            for block in self.plan(target, epsilon)
        )

    def network(
        self, target: Target, epsilon: float, delta: float, seed: int, **options: Any
    ) -> Network:
        """The random network of the statement; option `bundle` makes its bundles of that size."""
        self.require(epsilon=epsilon, delta=delta)
        blocks = self.blocks(target, epsilon, delta)
        if (bundle := options.pop("bundle", None)) is not None:
            blocks = tuple(replace(block, bundle=bundle) for block in blocks)
        if options:
            raise InputError(f"unknown options {sorted(options)}; there is only `bundle`")
        return doubling_network(blocks, seed)

    def construct(self, network: Network, target: Target, epsilon: float, **options: Any) -> Ticket:
        """The ticket of the proof; the bundles' sizes are read off the network's widths."""
        if options:
            raise InputError(f"this construction takes no options, got {sorted(options)}")
        widths = getattr(network.architecture, "widths", ())
        blocks, at = [], 0
        for block in self.plan(target, epsilon):
            first = widths[at + 1] if at + 1 < len(widths) else 0
            blocks.append(replace(block, bundle=max(1, first // (3 * block.inputs))))
            at += block.bits + 1
        return binary_doubling(network, target, tuple(blocks))

    def asks(self, shape: Shape, epsilon: float, delta: float) -> Asked | None:
        """The network for norm-one layers on the unit ball, weights up to 1."""
        self.require(epsilon=epsilon, delta=delta)
        widths = [shape.widths[0]]
        for i, shift in enumerate(_plan.unit_bits(shape, epsilon)):
            d_in, d_out = shape.widths[i : i + 2]
            block = Block(d_in, d_out, shift + 1, 1, 1 if i else 2, shift)
            block = replace(block, bundle=self.bundle(block, shape.depth, delta))
            widths += [*block.interior, d_out]
        return Asked(tuple(widths), "ours", "weights +-1 and one gain, a power of two")

    def example(self) -> Ticket | None:
        """The map to (3 x, -2 x) / 4 in bundles of four."""
        target = Target([(np.array([[0.75], [-0.5]], np.float32), None)], Box(0.0, 1.0))
        blocks = (Block(1, 2, 2, 4, 1, 2),)
        for seed in range(1000):
            try:
                return binary_doubling(doubling_network(blocks, seed), target, blocks)
            except ConstructionError:
                continue
        return None

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The bundle restated, its events counted, tickets, equal functions, seeds, growth."""
        if false_width:
            yield self._single(100)
            return
        yield algebra(
            "the bundle is the least with L K(r) 2^-r <= delta", self._least(), RECOMPUTES
        )
        yield algebra("what a first bundle of 3 r misses", _first_bundles(), SHOWS_CASES)
        yield algebra("(3/4)^(3r) < 2^-r and its two-edge form", _first_identity(), IDENTITIES)
        yield algebra("K(r) counts every bundle that is read", _counted(), SHOWS_CASES)
        for domain, epsilon in ((Box(-1.0, 1.0), 0.01), (Ball(1.0), 0.1))[: effort.pick(1, 2)]:
            yield from self._built(domain, epsilon)
        yield self._seeds(effort.trials(20, 120))
        yield self._growth(effort)

    def _least(self) -> Finding:
        """The union bound added up event by event, as the proof lists them."""
        cases = 0
        for bits, depth, g, d_in, d_out, delta in (
            (1, 1, 1, 1, 1, 0.5),
            (4, 2, 2, 3, 2, 0.01),
            (12, 2, 1, 64, 32, 1e-6),
            (20, 3, 2, 784, 300, 1e-300),
        ):
            r = self.bound(B=bits, L=depth, g=g, d_in=d_in, d_out=d_out, delta=delta)
            for size, enough in ((r, True), (r - 1, False)):
                if size < 1:
                    continue
                none, one = Fraction(1, 2**size), Fraction(size + 1, 2**size)
                total = Fraction(0)
                for level in range(1, bits):
                    total += g * d_in * size * one  # chains: fewer than two edges
                    total += 2 * d_out * size * g * d_in * none  # accounts: no edge from a chain
                    total += 2 * d_out * size * none * (1 if level else 0)  # ... from themselves
                total += d_out * g * d_in * 2 * none + d_out * 2 * none  # outputs: of either sign
                if (depth * total <= Fraction(delta)) != enough:
                    return False, f"r = {r}, at {size}: {float(depth * total):.3g} against {delta}"
            cases += 1
        return True, f"in {cases} cases, in rationals"

    def _built(self, domain: Box | Ball, epsilon: float) -> Iterator[Row]:
        target, delta = toy(domain, 9), 0.01
        blocks = self.blocks(target, epsilon, delta)
        first, second = (self.network(target, epsilon, delta, seed=s) for s in (11, 12))
        depth, widest = len(first.architecture.widths) - 1, max(first.architecture.widths)  # type: ignore[union-attr]
        name = f"2-2-1 target, {domain}, random signs of depth {depth}, width {widest}"
        claimed = f"sup error at most {epsilon:g}; the same function from two seeds"
        try:
            ticket, other = (self.construct(n, target, epsilon) for n in (first, second))
        except ConstructionError as error:
            yield Row("construction", name, claimed, str(error), True, CAN_REFUTE)
            return
        certificate = certify(ticket, target, epsilon)
        shifts = [block.shift for block in blocks]
        same = all(agrees(t, counts(target, shifts), -sum(shifts), target) for t in (ticket, other))
        yield Row(
            "construction",
            name,
            claimed,
            f"certified {certificate.bound:.3g}; both equal the rounded target at 64 integer "
            f"points: {'yes' if same else 'NO'}; {ticket.mask.kept} weights kept",
            not certificate.holds or not same,
            SHOWS_CASE,
        )

    def _seeds(self, trials: int) -> Row:
        target, failed = toy(Ball(1.0), 7), 0
        for seed in range(trials):
            try:
                self.construct(self.network(target, 0.1, 0.5, seed=seed), target, 0.1)
            except ConstructionError:
                failed += 1
        return failures("delta 0.5: one network a seed, constructed", 0.5, failed, trials)

    def _growth(self, effort: Effort) -> Row:
        """The least depth B + 1 whose bits hold a weight to epsilon, for random weights in [0, 1].

        The claim's depth is one more layer for each halving of epsilon and layer of the target.
        """
        powers, trials = range(3, effort.pick(10, 16)), effort.trials(200, 1000)
        words = philox.words(6, philox.stream("check", "doubling growth"), 0, trials)
        depths = []
        for power in powers:
            found = []
            for word in words.tolist():
                bits = 0  # word / 2^32 rounded to `bits` bits, exactly
                while abs(((word << bits) + (1 << 31) >> 32 << 32) - (word << bits)) << power > (
                    1 << (32 + bits)
                ):
                    bits += 1
                found.append(float(bits + 2))  # B = bits + 1: the rounded weight may be 1
            depths.append(found)
        name = "least depth whose bits hold a random weight to epsilon, against log2(1/epsilon)"
        return slope(name, [float(p) for p in powers], depths, 1.0)

    def _single(self, trials: int) -> Row:
        """Bundles of one neuron, B = 2: some |m| <= 3 is missed, over all 2^15 masks."""
        failed = sum(not _serves_all(seed) for seed in range(trials))
        name = "false on purpose: r = 1, B = 2, x -> m x on [0, 1] for all |m| <= 3, all masks"
        return failures(name, 0.01, failed, trials)


def doubling_network(blocks: tuple[Block, ...], seed: int) -> Network:
    """Signs everywhere, times 2^-f in the last layer of every block."""
    widths, laws = [blocks[0].inputs], []
    for block in blocks:
        widths += [*block.interior, block.outputs]
        laws += [SignedConstant(1.0)] * block.bits + [SignedConstant(2.0**-block.shift)]
    return Network.mlp(widths, laws=laws, seed=seed)


def _serves_all(seed: int) -> bool:
    """Whether masks of one random 1-3-3-1 network of signs give every |m| <= 3 on [0, 1]."""
    words = philox.words(seed, philox.stream("check", "doubling single"), 0, 15)
    a, b, c = np.split(SignedConstant(1.0).units(words).astype(np.int64), (3, 12))
    bits = (np.arange(1 << 12)[:, None] >> np.arange(12)) & 1
    below = np.maximum(bits[:, :3] * a, 0)  # all masks of the first two layers
    hidden = np.maximum((bits[:, 3:].reshape(-1, 3, 3) * b.reshape(3, 3) @ below[:, :, None]), 0)
    found = set()
    for code in range(8):
        kept = c * ((code >> np.arange(3)) & 1)
        found |= set((hidden[:, :, 0] @ kept).tolist())
    return set(range(-3, 4)) <= found


def _first_bundles() -> Finding:
    """Of 3 r neurons, live with probability 1/2, too few edges: in rationals."""
    for r in range(1, 200):
        n = 3 * r
        none = Fraction(3**n, 4**n)
        one = none + n * Fraction(3 ** (n - 1), 4**n)
        if none > Fraction(1, 2**r) or one > Fraction(r + 1, 2**r):
            return False, f"r = {r}: {float(none):.3g}, {float(one):.3g}"
    return True, "r = 1 to 199, in rationals"


def _first_identity() -> Finding:
    import sympy

    r = sympy.Symbol("r", positive=True)
    none = sympy.Rational(27, 64) ** r
    two = none + 3 * r * none / 3  # one good edge of 3 r: 3 r (1/4) (3/4)^(3 r - 1)
    right = sympy.simplify(two - (r + 1) * none) == 0
    right &= sympy.Rational(27, 64) < sympy.Rational(1, 2)
    return bool(right), "(27/64)^r and (r + 1)(27/64)^r" if right else "they are not"


def _counted() -> Finding:
    """Every mask of the layout reads no more bundles than K counts: small layouts, by counting."""
    cases = 0
    for bits in (1, 2, 3, 5):
        for g, d_in, d_out, r in ((1, 1, 1, 2), (2, 3, 2, 4)):
            block = Block(d_in, d_out, bits, r, g, 0)
            total = 0
            for level in range(1, bits):
                width = block.interior[level]
                chains = g * d_in * r
                total += chains * (r + 1)
                total += (width - chains) * (g * d_in + 1)
            total += d_out * 2 * (g * d_in + 1)
            first = block.interior[0] == 3 * r * d_in and len(block.interior) == bits
            if total != events(r, bits, g, d_in, d_out) or not first:
                return False, f"{block}: {total}"
            cases += 1
    return True, f"{cases} layouts"
