r"""How the kept weights of a ticket are distributed, and whether they are two lumps.

Pruning by magnitude leaves two lumps with a gap around 0; a mask over frozen weights need not.
Three numbers say so, each by a stated statistic:

* **Sarle's bimodality coefficient** (as in SAS), from the bias-corrected skewness
  :math:`g` and excess kurtosis :math:`\kappa` of n weights:
  :math:`(g^2 + 1) / (\kappa + 3 (n-1)^2 / ((n-2)(n-3)))`. It is near 1/3 for a normal law, 5/9 for
  a uniform one, 1 for two equal atoms; above 5/9 it hints at two lumps.
* **centre**: the fraction of weights whose magnitude is at most half the median magnitude. If the
  density of :math:`|w|` nowhere increases (any law with its one peak at 0), its distribution
  function F is concave with F(0) = 0, so :math:`F(m/2) \ge F(m)/2 = 1/4`: **below 1/4 no
  such law fits**. A uniform law has 1/4, a normal one 0.264, two lumps 0.
* **gap**: the 1 % quantile of :math:`|w|` over its median: about 0.02 for a uniform or normal law,
  near 1 for two narrow lumps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket.analysis._masks import arrays
from strongticket.errors import InputError
from strongticket.tickets import Ticket


@dataclass(frozen=True)
class Distribution:
    """A histogram of weights and its statistics, in plain values that a figure can draw.

    `edges` are the bins' ends, one more than `counts`, symmetric around 0. Statistics of too few
    or of equal weights are NaN.
    """

    count: int
    mean: float
    deviation: float
    skewness: float
    kurtosis: float
    sarle: float
    centre: float
    gap: float
    negative: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def bimodal(self) -> bool:
        """Whether Sarle's coefficient is above 5/9 and the centre below 1/4."""
        return self.sarle > 5 / 9 and self.centre < 1 / 4


def distribution(weights: ArrayLike, bins: int = 60, limit: float | None = None) -> Distribution:
    """The distribution of some weights.

    Args:
        weights: any shape; all finite.
        bins: equal bins of the histogram over [-limit, limit]. An even number has an edge at 0.
        limit: the largest magnitude of a weight by default. Weights beyond it are in no bin.
    """
    w = np.asarray(weights, np.float64).reshape(-1)
    if not np.isfinite(w).all():
        raise InputError(f"weights must be finite, {int((~np.isfinite(w)).sum())} are not")
    if bins < 1 or (limit is not None and not 0 < limit < np.inf):
        raise InputError(f"a histogram needs bins >= 1 and limit > 0, got {bins=}, {limit=}")
    size = np.abs(w)
    end = float(limit if limit is not None else (size.max() if w.size and size.max() else 1.0))
    counts, edges = np.histogram(w, bins, (-end, end))
    skewness, kurtosis, sarle = _moments(w)
    median = float(np.median(size)) if w.size else np.nan
    return Distribution(
        int(w.size),
        float(w.mean()) if w.size else np.nan,
        float(w.std()) if w.size else np.nan,
        skewness,
        kurtosis,
        sarle,
        float((size <= median / 2).mean()) if w.size else np.nan,
        float(np.quantile(size, 0.01) / median) if w.size and median else np.nan,
        float((w < 0).mean()) if w.size else np.nan,
        tuple(edges.tolist()),
        tuple(counts.tolist()),
    )


def distributions(
    kept: Ticket | Mapping[str, Any],
    state: Mapping[str, Any] | None = None,
    *,
    bins: int = 60,
    limit: float | None = None,
    only: Sequence[str] | None = None,
) -> dict[str, Distribution]:
    """The distribution of each parameter's kept weights, and "all" of them together.

    Args:
        kept: a ticket, whose effective weights are read; or masks by parameter name.
        state: weights by parameter name (`strongticket.pruning.state_of`, a lottery's round's
            `final`), needed with masks, and to read other weights at a ticket's places.
        bins: of the histograms.
        limit: of the histograms; by default each has its own.
        only: these parameters.
    """
    if isinstance(kept, Ticket) and state is None:
        values = {name: kept.kept_weights(name) for name in kept.mask}
    else:
        if state is None:
            raise InputError("the weights at masks need state=, weights by parameter name")
        values = {}
        for name, bits in arrays(kept).items():
            if name not in state or tuple(state[name].shape) != bits.shape:
                raise InputError(f"state must hold {name} with shape {bits.shape}")
            given = state[name]
            array = given.detach().cpu().float().numpy() if hasattr(given, "detach") else given
            values[name] = np.asarray(array)[bits]
    for name in only or ():
        if name not in values:
            raise InputError(f"no kept weights of {name!r}; there are {sorted(values)}")
    names = list(values) if only is None else list(only)
    found = {name: distribution(values[name], bins, limit) for name in names}
    found["all"] = distribution(np.concatenate([values[n].reshape(-1) for n in names]), bins, limit)
    return found


def _moments(w: NDArray[np.float64]) -> tuple[float, float, float]:
    """Bias-corrected skewness and excess kurtosis, and Sarle's coefficient of the two."""
    n = w.size
    centred = w - w.mean() if n else w
    second = float((centred**2).mean()) if n else 0.0
    # Equal weights have no shape: what is left of their spread is rounding of the mean.
    if n < 4 or second <= (1e-12 * float(np.abs(w).max())) ** 2:
        return np.nan, np.nan, np.nan
    scaled = centred / np.sqrt(second)
    g = float((scaled**3).mean()) * np.sqrt(n * (n - 1)) / (n - 2)
    k = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (float((scaled**4).mean()) - 3) + 6)
    return float(g), float(k), float((g * g + 1) / (k + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))))
