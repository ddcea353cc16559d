"""The compiled loops are found on disk again, and no change of one leaves another as it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from search_models import mlp

from strongticket import Network, SignedConstant
from strongticket.search import EdgePopup, gain_kernels, kernels, turn_kernels

MAKERS = (kernels.compiled, turn_kernels.compiled, gain_kernels.compiled)


@pytest.mark.skipif(kernels.compiled() is None, reason="the loops need numba")
@pytest.mark.parametrize("make", MAKERS)
def test_numba_can_keep_every_loop(make: Callable[[], object]) -> None:
    """It never finds again what holds a compiled function in a closure, nor sees other files."""
    loops = make()
    assert dataclasses.is_dataclass(loops)
    for field in dataclasses.fields(loops):
        function = getattr(loops, field.name).py_func
        assert function.__closure__ is None
        assert function.__module__ == "strongticket.search.loops_numba"


def test_a_decay_below_float32_is_none_for_either_backend() -> None:
    speeds = []
    for backend in ("numba", "torch"):
        model = mlp(6, 4)
        network = Network.sample(model, SignedConstant(), 0)
        options = {"density": 1.0, "momentum": 0.3, "ranking": "raw", "weight_decay": 1e-50}
        search = EdgePopup(network, backend=backend, **options)  # type: ignore[arg-type]
        (parameter,) = model.parameters()
        for size in (3e-45, 0.0):  # products below zero, then minus zero: a decay would add zero
            parameter.grad = torch.full_like(parameter, size).copysign(-parameter.detach())
            search.step()
        speeds.append(search.state[parameter]["momentum_buffer"].numpy().view(np.int32))
    np.testing.assert_array_equal(*speeds)
