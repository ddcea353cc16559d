"""`Subsets` whose arrays are tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from strongticket.subsetsum._subsets import Subsets


@dataclass(frozen=True, eq=False, repr=False)
class TensorSubsets(Subsets):
    """What the verbs return for tensors: the same fields, on the device of what was given."""

    mask: Tensor  # type: ignore[assignment]
    error: Tensor  # type: ignore[assignment]
    found: Tensor  # type: ignore[assignment]
    proved: Tensor  # type: ignore[assignment]

    @property
    def size(self) -> Tensor:  # type: ignore[override]
        """How many candidates each row keeps, int64 (M,)."""
        return self.mask.sum(dim=-1)

    @property
    def taken(self) -> Tensor:  # type: ignore[override]
        """How many of each row's candidates, from the first, hold all that is kept, int64 (M,)."""
        places = torch.arange(1, self.mask.shape[-1] + 1, device=self.mask.device)
        if len(places) == 0:
            return self.size
        return torch.where(self.mask, places, 0).amax(dim=-1)

    def numpy(self) -> Subsets:
        """The same subsets as NumPy arrays, on the host."""
        fields = (self.mask, self.error, self.found, self.proved)
        return Subsets(*(field.cpu().numpy() for field in fields))

    def __repr__(self) -> str:
        host = repr(self.numpy())
        return f"{host.removesuffix(')')}, on {self.mask.device})"
