"""A typed door to numba's compiler; only the ``*_numba`` modules come through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def jit(function: F) -> F:
    """`function` compiled on its first call for each dtype, without the GIL, kept on disk."""
    return cast(F, numba.njit(nogil=True, cache=True)(function))
