"""Pages of what experiments measured on the theorems, written from their tables.

Every number comes from experiments/results; verdicts are found again from these tables by the
experiments' own code. `_generate.py` writes the pages.
"""

from __future__ import annotations

import csv
import importlib
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

from strongticket.theorems import THEOREMS

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
BOUNDS = {theorem.key: theorem.bound for theorem in THEOREMS}

# paper -> (label of a section, what it is called) where the paper's page links to it
LINKS: dict[str, tuple[tuple[str, str], ...]] = {
    "malach2020": (("measured-pools", "one weight out of a pool of random neurons"),),
    "orseau2020": (("measured-pools", "one weight out of a pool of random neurons"),),
    "pensia2020": (
        ("measured-pools", "one weight out of a pool of random neurons"),
        ("measured-depth", "depth 2L beside depth L + 1"),
    ),
    "burkholz2022": (("measured-depth", "depth L + 1 beside depth 2L"),),
    "kumar2025": (("quantized-measured", "the transition on a grid, exactly"),),
    "natale2024": (("measured-density", "density against candidates"),),
    "gadhikar2023": (("measured-sources", "candidates that a pruned source needs"),),
    "otsuka2024": (("measured-sources", "candidates that a locked source needs"),),
}
TRAINED = ("trained-rows", "every construction on trained networks")


def pages() -> dict[str, str]:
    """File name -> text."""
    found = {
        "measured.md": (_head(), _pools(), _depth(), _density(), _sources()),
        "trained-targets.md": (_trained(),),
    }
    return {
        name: "\n".join(line for part in parts for line in part).rstrip() + "\n"
        for name, parts in found.items()
    }


def links(paper: str, constructs: bool) -> str:
    """The sentence of a paper's page that says what was measured; may be empty."""
    found = [*LINKS.get(paper, ()), *([TRAINED] if constructs else [])]
    return (
        f"Measured: {', '.join(f'[{text}](#{label})' for label, text in found)}." if found else ""
    )


# ---- tables of experiments


def experiment(name: str) -> ModuleType:
    """An experiment's module; it may import its neighbours."""
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EXPERIMENTS))


def rows(kind: Any, name: str) -> list[Any]:
    """A table of results as the dataclasses that it was written from."""
    types = {"int": int, "float": float, "str": str, "bool": "True".__eq__}
    text = (EXPERIMENTS / "results" / f"{name}.csv").read_text("utf-8")
    return [
        kind(**{field.name: types[field.type](row[field.name]) for field in fields(kind)})
        for row in csv.DictReader(text.splitlines())
    ]


def table(head: Sequence[str], body: Sequence[Sequence[object]]) -> Iterator[str]:
    """A Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    for line in body:
        yield "| " + " | ".join(map(str, line)) + " |"
    yield ""


def verdicts(claims: Sequence[tuple[str, bool, str]]) -> Iterator[str]:
    """What the command claims, and what came out."""
    body = [(plain(what), "stands" if ok else "**falls**", plain(got)) for what, ok, got in claims]
    yield from table(("claimed", "", "measured"), body)


def plain(text: str) -> str:
    """Plain text in a table: a bar would end the cell, and a dollar begin a formula."""
    for character in "\\`*_$<>[]|":
        text = text.replace(character, "\\" + character)
    return text


def short(value: float) -> str:
    """Three digits, or all before the point where these are up to six."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def rounded(value: float, up: bool) -> str:
    """Three digits, an upper bound rounded up and a lower bound down."""
    way = ROUND_CEILING if up else ROUND_FLOOR
    return f"{Context(prec=3, rounding=way).plus(Decimal(repr(value))).normalize():g}"


# ---- one section an experiment


def _head() -> Iterator[str]:
    yield "# The theorems' experiments"
    yield ""
    yield (
        "Each section is one command. `--publish` writes its table to `experiments/results` and "
        "its figure to `docs/figures`, `--quick` makes a smaller run, and the command ends with "
        "exit code 1 where a claim falls. The tables here are read from the stored results, and "
        "the verdicts are found again from them (`docs/theorems/_generate.py`). A constant that a "
        "paper leaves open stays a letter: what is compared with it is the shape of a curve, or "
        "the constant that the measurement would need. None of this proves a theorem; the proofs "
        "are [in pages of their own](proofs.md)."
    )
    yield ""
    yield "Other experiments on the theorems stand where their theorem is:"
    yield ""
    yield "- [the transition and the decay on a grid of weights](#quantized-measured), exactly;"
    yield "- [every construction on trained networks](#trained-rows);"
    yield "- [how many random numbers serve all targets](../subset-sum-law.md);"
    yield "- [pruning whole neurons against single weights](../weights-over-neurons.md)."
    yield ""


def _pools() -> Iterator[str]:
    pools = experiment("pool_laws")
    points = rows(pools.Point, "pool_laws")
    slopes = dict(zip(pools.RULES, pools.fits(points), strict=True))
    yield "(measured-pools)="
    yield "## One weight out of a pool of random neurons"
    yield ""
    yield (
        "How many random neurons must be read until one weight $w$ is served to $\\varepsilon$, by "
        "each of four rules? A rule that asks for *both weights near* takes a neuron with "
        "$a\\approx w$ and $b\\approx1$; the *best product* one with $ab\\approx w$; the *greedy* "
        "adds up log-uniform neurons largest first; the *subset sum* takes the best subset of "
        "all products."
    )
    yield ""
    yield "`python experiments/pool_laws.py --publish` (some 10 s of one core)"
    yield ""
    yield "![Random neurons read against 1/epsilon, four rules](../figures/pool_laws.png)"
    yield ""
    golden, pensia = _formula("orseau2020_recalled"), _formula("pensia2020_published")
    claimed = {
        "near": ("[Malach et al.](malach2020.md): polynomial", "malach2020_weights"),
        "product": ("ours, the same gadget", "malach2020_product"),
        "greedy": (f"[Orseau et al.](orseau2020.md): {golden}", "orseau2020_network"),
        "sums": (f"[Pensia et al.](pensia2020.md): {pensia}", "pensia2020_explicit"),
    }
    body = []
    for rule, (_, name) in pools.RULES.items():
        mine = [p for p in points if p.rule == rule]
        last, slope = max(mine, key=lambda p: p.power), slopes[rule]
        rate = f"${slope.slope:.2f}\\pm{slope.half:.2f}$"
        power = rule in ("near", "product")
        unit = "the exponent of $1/\\varepsilon$" if power else "neurons a bit"
        body.append(
            (
                name,
                claimed[rule][0],
                f"{rate} {unit}",
                f"$2^{{-{last.power}}}$",
                f"{short(last.median)} ({short(last.low)} to {short(last.high)})",
                f"{last.claimed:,} (`{claimed[rule][1]}`)",
                f"{max(p.missed / p.trials for p in mine):.0%}",
            )
        )
    head = (
        "rule",
        "the paper's claim, constant open",
        "measured rate, 95 %",
        "finest $\\varepsilon$",
        "neurons there, median (quartiles)",
        "proved to suffice with probability 1/2",
        "pools that needed more, at most",
    )
    yield from table(head, body)
    yield from verdicts(pools.claims(points, pools.fits(points)))
    yield (
        "Subset sums cannot do with fewer than two neurons a bit in the long run, by counting: "
        "half of the neurons have $a>0$, and each of these doubles the number of subsets. The "
        f"measured slope is ${slopes['sums'].slope:.2f}\\pm{slopes['sums'].half:.2f}$. The proved "
        "counts have the right order and are "
        f"{_span(p.claimed / p.median for p in points if p.rule == 'sums')} times the median for "
        f"subset sums, {_span(p.claimed / p.median for p in points if p.rule == 'greedy')} for the "
        "greedy."
    )
    yield ""
    yield (
        "What this cannot show: a pool serves one weight, $w$ uniform in $[0.1,0.7]$, on positive "
        "inputs, so the union over all weights of a network is not in it, nor the smallest failure "
        f"probabilities: {points[0].trials} pools a point. A slope over these accuracies says "
        "nothing of finer ones. The papers' constants are recalled and open, so the rates are "
        "compared with our theorems alone."
    )
    yield ""


def _depth() -> Iterator[str]:
    depth = experiment("depth_l_plus_1")
    built, asked = rows(depth.Built, "depth_l_plus_1"), rows(depth.AskedFor, "depth_l_plus_1_asked")

    def middle(how: str, deep: int, name: str) -> float:
        return statistics.median(getattr(b, name) for b in built if (b.how, b.depth) == (how, deep))

    yield "(measured-depth)="
    yield "## Depth L + 1 beside depth 2L"
    yield ""
    config = depth.Config()
    yield (
        "What does it cost to save half of the depth? Random targets of width "
        f"{config.width} and depth $L=2$ to $8$ (each row's absolute sum is 2) are built twice, "
        f"every weight to $2^{{{int(math.log2(config.accuracy))}}}$: with two layers for one "
        "([Pensia et al.](pensia2020.md)), and with neurons in copies and one layer for one "
        "([Burkholz](burkholz2022.md)). Every error is certified over the whole box $[0,1]^6$."
    )
    yield ""
    yield "`python experiments/depth_l_plus_1.py --publish` (some 20 s of one core)"
    yield ""
    yield (
        "![Neurons, random weights, kept weights and certified error against depth]"
        "(../figures/depth_l_plus_1.png)"
    )
    yield ""
    two = depth.TWO_LAYERS
    body = [
        (
            deep,
            *(
                f"{middle(two, deep, name):,.0f} / {middle('lightest', deep, name):,.0f}"
                for name in ("width", "weights", "kept")
            ),
            *(short(middle(how, deep, "bound")) for how in (two, "lightest", "best")),
            *(short(middle(how, deep, "amplification")) for how in (two, "lightest", "best")),
        )
        for deep in sorted({b.depth for b in built})
    ]
    head = (
        "$L$",
        "hidden neurons, 2L / L + 1",
        "random weights",
        "kept weights",
        "certified error, 2L",
        "L + 1, lightest",
        "L + 1, nearest",
        "amplification, 2L",
        "L + 1, lightest",
        "L + 1, nearest",
    )
    yield f"Medians of {len({b.seed for b in built})} targets:"
    yield ""
    yield from table(head, body)
    yield (
        "*Lightest* and *nearest* say which subset of the copies is taken among all that are near "
        "enough: of the least absolute sum, or of the least error. What the theorems ask for these "
        f"targets at $\\varepsilon={config.epsilon:g}$, $\\delta={config.delta:g}$:"
    )
    yield ""
    body = [
        (a.depth, plain(a.theorem), f"{a.width:,}", f"{a.weights:,}", "yes" if a.grid else "no")
        for a in asked
        if a.depth in (config.depths[0], config.depths[-1])
    ]
    head = ("$L$", "theorem", "hidden neurons", "random weights", "24-bit weights suffice")
    yield from table(head, body)
    yield from verdicts(depth.claims(built, asked))
    yield (
        "Burkholz states depth $L+1$ with a width that is a logarithm wider, its constant open "
        "and its form recalled. What the measurement adds is the price of the copies: the "
        "absolute weights that a neuron selects sum up to more than the target's own, these sums "
        "multiply over the layers, and so does every error. At one accuracy a weight the certified "
        "error of copies grows with depth far faster. The theorem pays for it with finer "
        "accuracies in the lower layers, hence with width, and from some depth on with weights "
        "finer than 24 bits."
    )
    yield ""
    yield (
        "What this cannot show: both networks have fixed numbers of candidates, so the widths "
        "compared are those of this setting, not the least ones. A certified error is an upper "
        "bound; that of copies may be further from the true error than that of two layers. Width "
        f"{config.width} and random targets are small, and {len({b.seed for b in built})} seeds "
        "are few."
    )
    yield ""


def _density() -> Iterator[str]:
    sizes = experiment("fixed_size_density")
    points = rows(sizes.Point, "fixed_size_density")
    found = [p for p in points if p.least]
    low, high = min(p.constant for p in found), max(p.constant for p in found)
    config = sizes.Config()
    yield "(measured-density)="
    yield "## Density against candidates"
    yield ""
    yield (
        "How many candidates $n$ does a weight need if exactly $k$ of them may stay? For each $k$ "
        "the least $n$ is found at which half of random targets in $[-\\sqrt k,\\sqrt k]$ are "
        "within $\\varepsilon$ of the sum of exactly $k$ of $n$ uniform weights; every case is "
        "solved exactly."
    )
    yield ""
    yield "`python experiments/fixed_size_density.py --publish` (some 3 s of one core)"
    yield ""
    yield "![Kept fraction against candidates](../figures/fixed_size_density.png)"
    yield ""
    yield (
        "Claimed, with $\\gamma=k/n\\le1/2$ ([Natale et al. 2024](natale2024.md), Theorem 2): some "
        "$k$ of $n$ serve one target with a probability above some constant, if "
        f"{_formula('natale2024_subsets')}, $c_{{hyp}}$ open. By the count behind their Theorem 5 "
        "half of the targets need $\\binom nk\\,\\varepsilon/\\sqrt k\\ge1/2$, whatever the solver."
    )
    yield ""
    epsilons = sorted({p.epsilon for p in points}, reverse=True)
    body = []
    for k in sorted({p.k for p in points}):
        line: list[object] = [k]
        for epsilon in epsilons:
            (p,) = [p for p in points if (p.k, p.epsilon) == (k, epsilon)]
            least = f"{p.least}, {p.density:.2f}, {p.constant:.2f}" if p.least else "over "
            line += [least if p.least else f"{least}{config.most}", p.counted]
        body.append(line)
    head = ["$k$"]
    for epsilon in epsilons:
        head += [f"$\\varepsilon={epsilon:g}$: $n$, density, constant", "count"]
    yield from table(head, body)
    pairs = ", ".join(
        f"{next(p.pairs for p in points if p.epsilon == epsilon)}" for epsilon in epsilons
    )
    yield (
        f"The constant that $c_{{hyp}}$ would have to be for these $n$ is {low:.2f} to {high:.2f}: "
        "the law holds with a constant near 1, and the fewest candidates stand at a density near "
        "1/2. A chosen density far from it costs candidates. The explicit theorem "
        f"`natale2024_pairs` proves {pairs} candidates for these accuracies with half of them "
        "kept, for all targets in $[-1,1]$ at once and failure probability 1/2: a stronger "
        "statement than one random target, and far from the law."
    )
    yield ""
    yield from verdicts(sizes.claims(sizes.Result(tuple(points))))
    yield (
        f"What this cannot show: {config.trials} draws a case, up to {config.most} candidates, one "
        "random target at probability 1/2. The law's constant at small failure probabilities is "
        "not in it. Densities above 1/2 are outside of Theorem 2."
    )
    yield ""


def _sources() -> Iterator[str]:
    sources = experiment("random_sources")
    points = rows(sources.Point, "random_sources")
    realised = rows(sources.Realised, "random_sources_copies")
    config = sources.Config()
    pruned = {(p.eta, p.kappa): p for p in points if not p.locked}
    yield "(measured-sources)="
    yield "## Candidates that a randomly pruned or locked source needs"
    yield ""
    yield (
        "A source is pruned at random before anything is searched: each weight exists with "
        "probability $\\kappa$. How many candidates does that cost? The least $n$ is found at "
        f"which in {1 - config.delta:.0%} of the draws every $|z|\\le1$ is within $\\eta$ of a "
        "subset sum, all targets held exactly."
    )
    yield ""
    yield "`python experiments/random_sources.py --publish` (some 9 s of one core)"
    yield ""
    yield (
        "![Least n against density of the source; sources that realise every edge]"
        "(../figures/random_sources.png)"
    )
    yield ""
    yield (
        "Claimed ([Gadhikar et al. 2023](gadhikar2023.md), recalled): "
        f"{_formula('gadhikar2023_recalled')}, $C$ open. Ours, with every constant: the rate of "
        "the whole source with $\\kappa p$ for $p$ (`gadhikar2023_samples`), which is $1/\\kappa$."
    )
    yield ""
    head = ["$\\kappa$"]
    for eta in config.etas:
        head += [
            f"$\\eta={eta:g}$: least $n$",
            "$n(1)/\\kappa$",
            "$n\\ln\\frac1{1-\\kappa}$",
            "proved",
        ]
    body = []
    for kappa in config.densities:
        line: list[object] = [f"{kappa:g}"]
        for eta in config.etas:
            p = pruned[eta, kappa]
            factor = "" if kappa == 1 else short(-p.least * math.log(1 - kappa))
            line += [p.least, short(p.inverse), factor, p.proved]
        body.append(line)
    yield from table(head, body)
    thin = [p for p in pruned.values() if p.kappa < 1]
    yield (
        "The need is at most "
        f"{max(p.least / p.inverse for p in thin):.3g} times that of the whole source divided by "
        "$\\kappa$. If the paper's form held with one constant, the third column of each accuracy "
        "would be constant: it is for thin sources, where $\\ln(1/(1-\\kappa))\\approx\\kappa$, "
        "and grows towards dense ones "
        f"({_range(-p.least * math.log(1 - p.kappa) for p in thin if p.eta == config.etas[0])} at "
        f"$\\eta={config.etas[0]:g}$). For a dense source the form would ask for less than the "
        "whole source needs: as it is recalled, it can hold with one $C$ away from $\\kappa=1$ "
        "alone."
    )
    yield ""
    yield (
        "A part of the candidates *locked* into every subset "
        "([Otsuka et al. 2025](otsuka2024.md), their $C(p,r)$ open): the sum of what is locked "
        "must be cancelled first."
    )
    yield ""
    locked = [p for p in points if p.locked or (p.kappa == 1 and p.eta == config.etas[0])]
    yield from table(
        (f"locked, $\\eta={config.etas[0]:g}$", *(f"{p.locked:g}" for p in locked)),
        [("least $n$", *(p.least for p in locked))],
    )
    first = realised[0]
    yield (
        "An *exact* target with trained weights needs one of $\\rho$ copies of each of its $E$ "
        "edges to exist (`gadhikar2023_realisable`). The fraction of sources in which all do, "
        f"$E={first.pairs}$, $\\rho={first.rho}$, {config.trials} sources:"
    )
    yield ""
    yield from table(
        ("$\\kappa$", *(f"{r.kappa:g}" for r in realised)),
        [
            ("measured", *(f"{r.realised:.3g}" for r in realised)),
            ("$1-E(1-\\kappa)^\\rho$, proved", *(f"{r.bound:.3g}" for r in realised)),
            ("independent edges, exactly", *(f"{r.exact:.2g}" for r in realised)),
        ],
    )
    yield from verdicts(sources.claims(sources.Result(tuple(points), tuple(realised))))
    yield (
        f"What this cannot show: {config.trials} draws tell a failure probability of "
        f"{config.delta:g}, not a small one. A locked sample of more than {sources.FREE} free "
        "candidates has the others fixed by a rule before its sums are taken, so its least $n$ is "
        "an upper bound. The subset sums of one weight are not a network."
    )
    yield ""


def _trained() -> Iterator[str]:
    targets = experiment("catalogue_targets")
    found = rows(targets.Row, "catalogue_targets")
    config = targets.Config()
    done = [row for row in found if row.certified]
    worst = max(row.bound / row.epsilon for row in done)
    yield "(trained-rows)="
    yield "# The catalogue on trained targets"
    yield ""
    yield (
        "Every constructing theorem on real trained networks: its own random network at its own "
        "width ($\\delta=0.01$), pruned to the target, certified over the whole domain, "
        "rechecked from the file alone, attacked, and evaluated as the pruned random network "
        f"itself. {len(done)} of {len(found)} rows have a certificate, at most "
        f"{worst:.2f} of the theorem's $\\varepsilon$."
    )
    yield ""
    yield "`python experiments/catalogue_targets.py --data FOLDER --publish`"
    yield ""
    yield (
        "FOLDER holds `mnist/` and `fashion-mnist/`; without it the shipped digits alone are run. "
        f"Each row is a process of its own with at most {config.gib:g} GiB and "
        f"{config.seconds:g} s of one core; an interrupted run goes on where it stood. A theorem "
        "that refuses, or asks for too much, has a row that says why. For `kumar2025` the target "
        "is first rounded to its grid: 0 is equality with the rounded network. The domain is the "
        "box $[0,1]^d$; it is the unit ball for `malach2020_count` and, on 64-6-10, for "
        "`malach2020_weights`, whose targets are scaled to layers of spectral norm 1, and the "
        "target 64-8-10 keeps the 16 largest weights of each neuron alone."
    )
    yield ""
    yield (
        "![Certified error over epsilon, and the fraction of random weights that stays, by theorem]"
        "(../figures/catalogue_targets.png)"
    )
    yield ""
    yield from verdicts(targets.claims(found))
    for data, name in (
        ("digits", "Digits"),
        ("mnist", "MNIST"),
        ("fashion-mnist", "Fashion-MNIST"),
    ):
        mine = [row for row in found if row.data == data]
        if not mine:
            continue
        yield f"## {name}"
        yield ""
        body = [_certified(row) for row in mine if row.certified]
        head = (
            "theorem",
            "target",
            "$\\varepsilon$",
            "certified at most",
            "attack finds",
            "kept",
            "of random weights",
            "test accuracy, target and ticket",
            "s: build, certify, recheck",
            "peak GiB",
        )
        yield from table(head, sorted(body))
        missing = [row for row in mine if not row.certified]
        if missing:
            body = [
                (
                    f"`{row.theorem}`",
                    row.target,
                    f"{row.epsilon:g}",
                    f"{row.random_weights:.2g}" if row.random_weights else "",
                    f"{row.limit}: {plain(row.why)}"
                    + (
                        f"; before that certified at most {rounded(row.bound, True)}"
                        if not math.isnan(row.bound)
                        else ""
                    ),
                )
                for row in missing
            ]
            yield "No certificate:"
            yield ""
            head = ("theorem", "target", "$\\varepsilon$", "random weights", "why")
            yield from table(head, sorted(body))
    yield (
        "Seconds are of processor time, on one core of a shared machine. *Grid* is a theorem whose "
        "proof needs weights finer than 24 bits there; *width* one that asks for more random "
        "weights than are built; *memory* and *time* are the limits of a row, not of the theorem."
    )
    yield ""
    yield (
        "What this cannot show: one draw and one trained network a row, so nothing is said of the "
        "failure probability $\\delta$. A certified error far below $\\varepsilon$ says that the "
        "theorem's accounting of errors is cautious for this target, not that its width could be "
        "that much smaller. Test accuracies are of the first 2000 test images."
    )


def _certified(row: Any) -> tuple[str, ...]:
    return (
        f"`{row.theorem}`",
        row.target,
        f"{row.epsilon:g}",
        rounded(row.bound, True) + ("" if row.rechecked else ", not rechecked"),
        rounded(row.attack, False),
        f"{row.kept_weights:,}",
        f"{row.random_weights:,}",
        f"{row.before:.2%}, {row.after:.2%}",
        f"{row.construct:.1f}, {row.certify:.1f}, {row.recheck:.1f}",
        f"{row.peak:.1f}",
    )


def _formula(key: str) -> str:
    """A theorem's bound in a line."""
    return f"${BOUNDS[key].latex}$"


def _range(values: Any) -> str:
    found = list(values)
    return f"{short(min(found))} to {short(max(found))}"


def _span(values: Any) -> str:
    found = list(values)
    return f"{min(found):.1f} to {max(found):.1f}"
