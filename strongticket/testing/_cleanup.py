"""`check_cleanup`: a dead-neuron clean-up changes masks and never the function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from strongticket.networks import MLP, Network
from strongticket.testing import oracles
from strongticket.testing._claims import NonconformityError
from strongticket.testing._networks import architectures, masks, networks
from strongticket.testing._numbers import laws

Clean = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@st.composite
def _cases(draw: st.DrawFn) -> tuple[Network, dict[str, Any]]:
    shapes = architectures(max_depth=3, max_width=3, biases=False)
    network = draw(networks(shapes, laws(exact=True)))
    mask = draw(masks(network))
    return network, {name: entries.dense() for name, entries in mask.items()}


def check_cleanup(clean: Clean, *, examples: int | None = None) -> None:
    """Hold a dead-neuron clean-up to its word: same function, no dead neuron left, nothing added.

    Args:
        clean: masks by parameter name ("layers.0.weight" first, bool (d_out, d_in), no biases)
            -> masks of the same names and shapes.
        examples: how many cases; None: as many as the Hypothesis profile says.

    Raises:
        NonconformityError: an AssertionError with what was needed and what came.
    """

    @settings(
        max_examples=settings().max_examples if examples is None else examples,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
    )
    @given(_cases(), st.integers(0, 1 << 16))
    def conforms(case: tuple[Network, dict[str, Any]], order: int) -> None:
        network, before = case
        found = clean({name: mask.copy() for name, mask in before.items()})
        after = {name: np.asarray(found[name], np.bool_) for name in before}
        for name, mask in before.items():
            if after[name].shape != mask.shape or (after[name] & ~mask).any():
                raise NonconformityError(f"clean-up may only prune; it added weights to {name}")
        assert isinstance(network.architecture, MLP)
        x = np.random.default_rng(order).integers(-3, 4, network.architecture.widths[0]).tolist()
        outputs = [
            oracles.forward([(network.weights(n) * m, None) for n, m in masked.items()], x)
            for masked in (before, after)
        ]
        if outputs[0] != outputs[1]:
            raise NonconformityError(
                f"clean-up must not change the function; at {x} it went from "
                f"{[float(v) for v in outputs[0]]} to {[float(v) for v in outputs[1]]}"
            )
        for name, wanted in oracles.without_dead(after).items():
            if not np.array_equal(after[name], np.array(wanted, np.bool_)):
                raise NonconformityError(f"clean-up left weights of a dead neuron in {name}")

    conforms()
