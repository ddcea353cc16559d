"""The sections on what experiments measured, one a function."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from _page_tables import experiment, formula, plain, ranged, rows, short, span, table, verdicts


def pools() -> Iterator[str]:
    laws = experiment("pool_laws")
    points = rows(laws.Point, "pool_laws")
    slopes = dict(zip(laws.RULES, laws.fits(points), strict=True))
    yield "(measured-pools)="
    yield "## One weight out of a pool of random neurons"
    yield ""
    yield (
        "How many random neurons must be read until one weight $w$ is served to $\\varepsilon$, by "
        "each of four rules? A rule that asks for *both weights near* takes a neuron with "
        "$a\\approx w$ and $b\\approx1$; the *best product* one with $ab\\approx w$; the *greedy* "
        "adds up log-uniform neurons, digit by digit in base golden ratio; the *subset sum* takes "
        "the best subset of all products."
    )
    yield ""
    yield "`python experiments/pool_laws.py --publish` (some 10 s of one core)"
    yield ""
    yield "![Random neurons read against 1/epsilon, four rules](../figures/pool_laws.png)"
    yield ""
    golden, pensia = formula("orseau2020_recalled"), formula("pensia2020_published")
    claimed = {
        "near": ("[Malach et al.](malach2020.md): polynomial", "malach2020_weights"),
        "product": ("ours, the same gadget", "malach2020_product"),
        "greedy": (f"[Orseau et al.](orseau2020.md): {golden}", "orseau2020_network"),
        "sums": (f"[Pensia et al.](pensia2020.md): {pensia}", "pensia2020_explicit"),
    }
    body = []
    for rule, (_, name) in laws.RULES.items():
        mine = [p for p in points if p.rule == rule]
        last, slope = max(mine, key=lambda p: p.power), slopes[rule]
        rate = f"{slope.slope:.2f} \\pm {slope.half:.2f}"
        power = rule in ("near", "product")
        rate = f"$\\varepsilon^{{-({rate})}}$" if power else f"${rate}$ neurons a bit"
        body.append(
            (
                name,
                claimed[rule][0],
                rate,
                f"$2^{{-{last.power}}}$: {short(last.median)} "
                f"({short(last.low)} to {short(last.high)})",
                f"{last.claimed:,} (`{claimed[rule][1]}`), "
                f"{max(p.missed / p.trials for p in mine):.0%}",
            )
        )
    head = (
        "rule",
        "the paper's claim, constant open",
        "measured rate, 95 %",
        "finest $\\varepsilon$: neurons, median (quartiles)",
        "proved to suffice there with probability 1/2; share of pools that need more, at most",
    )
    yield from table(head, body)
    yield from verdicts(laws.claims(points, laws.fits(points)))
    yield (
        "Subset sums cannot do with fewer than two neurons a bit in the long run, by counting: "
        "half of the neurons have $a>0$, and each of these doubles the number of subsets. The "
        f"measured slope is ${slopes['sums'].slope:.2f}\\pm{slopes['sums'].half:.2f}$. The proved "
        "counts have the right order and are "
        f"{span(p.claimed / p.median for p in points if p.rule == 'sums')} times the median for "
        f"subset sums, {span(p.claimed / p.median for p in points if p.rule == 'greedy')} for the "
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


def depth() -> Iterator[str]:
    study = experiment("depth_l_plus_1")
    built, asked = rows(study.Built, "depth_l_plus_1"), rows(study.AskedFor, "depth_l_plus_1_asked")

    def middle(how: str, deep: int, name: str) -> float:
        return statistics.median(getattr(b, name) for b in built if (b.how, b.depth) == (how, deep))

    yield "(measured-depth)="
    yield "## Depth L + 1 beside depth 2L"
    yield ""
    config = study.Config()
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
    two = study.TWO_LAYERS
    body = [
        (
            deep,
            *(
                f"{middle(two, deep, name):,.0f} / {middle('lightest', deep, name):,.0f}"
                for name in ("width", "weights", "kept")
            ),
            *(short(middle(how, deep, "bound")) for how in (two, "lightest", "best")),
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
    )
    yield f"Medians of {len({b.seed for b in built})} targets:"
    yield ""
    yield from table(head, body)
    deepest = config.depths[-1]
    grown = [middle(how, deepest, "amplification") for how in (two, "lightest", "best")]
    yield (
        "*Lightest* and *nearest* say which subset of the copies is taken among all that are near "
        "enough: of the least absolute sum, or of the least error. The product of the layers' "
        f"largest absolute sums, which multiplies errors, is at $L={deepest}$ {short(grown[0])} "
        f"for two layers, {grown[1]:.2g} for the lightest and {grown[2]:.2g} for the nearest "
        f"copies. What the theorems ask for these targets at $\\varepsilon={config.epsilon:g}$, "
        f"$\\delta={config.delta:g}$:"
    )
    yield ""
    body = [
        (a.depth, plain(a.theorem), f"{a.width:,}", f"{a.weights:,}", "yes" if a.grid else "no")
        for a in asked
        if a.depth in (config.depths[0], config.depths[-1])
    ]
    head = ("$L$", "theorem", "hidden neurons", "random weights", "24-bit weights suffice")
    yield from table(head, body)
    yield from verdicts(study.claims(built, asked))
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


def density() -> Iterator[str]:
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
        f"{formula('natale2024_subsets')}, $c_{{hyp}}$ open. By the count behind their Theorem 5 "
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


def sources() -> Iterator[str]:
    study = experiment("random_sources")
    points = rows(study.Point, "random_sources")
    realised = rows(study.Realised, "random_sources_copies")
    config = study.Config()
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
        f"{formula('gadhikar2023_recalled')}, $C$ open. Ours, with every constant: the rate of "
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
        f"({ranged(-p.least * math.log(1 - p.kappa) for p in thin if p.eta == config.etas[0])} at "
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
    yield from verdicts(study.claims(study.Result(tuple(points), tuple(realised))))
    yield (
        f"What this cannot show: {config.trials} draws tell a failure probability of "
        f"{config.delta:g}, not a small one. A locked sample of more than {study.FREE} free "
        "candidates has the others fixed by a rule before its sums are taken, so its least $n$ is "
        "an upper bound. The subset sums of one weight are not a network."
    )
    yield ""
