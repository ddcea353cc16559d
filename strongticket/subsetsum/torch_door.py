"""Whether a call is about torch tensors: without importing torch where nobody has any."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from strongticket.errors import InputError
from strongticket.subsetsum._inputs import Products
from strongticket.subsetsum._subsets import Subsets


def is_tensor(value: object) -> bool:
    """Whether `value` is a torch tensor; torch is not imported to find out."""
    kind = getattr(sys.modules.get("torch"), "Tensor", None)
    return kind is not None and isinstance(value, kind)


def asks_torch(options: Any, *values: object) -> bool:
    """Whether the torch backend answers: tensors came, or NumPy arrays and ``backend="torch"``."""
    if options.get("backend") == "torch":
        return True
    return any(
        is_tensor(part)
        for value in values
        for part in ((value.first, value.second) if isinstance(value, Products) else (value,))
    )


def on_tensors(verb: str, *arguments: Any, **options: Any) -> Subsets:
    """What the verb of that name in `torch_verbs` returns; it is imported here, where needed."""
    try:
        verbs = importlib.import_module("strongticket.subsetsum.torch_verbs")
    except ImportError as error:
        raise InputError(f"backend 'torch' cannot be imported ({error}); use 'numba'") from None
    subsets: Subsets = getattr(verbs, verb)(*arguments, **options)
    return subsets


def refuse_tensors(verb: str, options: Any, *values: object) -> None:
    """The error of a verb that torch does not answer."""
    if asks_torch(options, *values):
        raise InputError(
            f"{verb} has no torch version: give NumPy arrays (tensor.cpu().numpy()) and backend "
            "'numba', 'numpy' or None"
        )
