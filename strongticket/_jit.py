"""A typed door to numba's compiler; only the ``*_numba`` modules come through it.

numba keeps on disk what it compiled of functions of a module. What holds another compiled function
in a closure it compiles in every process anew, so there is none of those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def jit(function: F) -> F:
    """`function` compiled on its first call for each dtype, without the GIL, kept on disk."""
    return cast(F, numba.njit(nogil=True, cache=True)(function))
