"""Channel spaces: which tensors of a model share their channels, who writes and who reads them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Value:
    """What one tensor of the traced model holds.

    Channels lie on `axis`, `repeat` consecutive entries each (more than one after a flatten).
    `constant`, (channels,) float64, is the value of a channel that is the same number for every
    input and at every place, NaN where it is not known to be.
    """

    space: int
    axis: int
    constant: Tensor
    repeat: int = 1

    def with_constant(self, constant: Tensor) -> Value:
        """The same channels with other constants."""
        return replace(self, constant=constant)


@dataclass(frozen=True, eq=False)
class Reader:
    """A layer whose every output unit weighs the channels of a space: weight (out, channels, ...).

    `table` sums up the weight, (out, channels): whether any is not 0, and the weight that a
    constant channel meets; `absorbs` says of which channels it can take the constant over.
    """

    name: str
    into: int  # the space that it writes
    space: int  # the one that it reads
    used: Tensor  # (out, channels) bool
    weight: Tensor  # (out, channels) float64: what a constant of a channel is multiplied by
    constant: Tensor  # (channels,)
    absorbs: Tensor  # (channels,) bool


@dataclass
class Spaces:
    """The spaces of one model; those that are added to each other become one."""

    sizes: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    pinned: dict[int, str] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    slices: list[tuple[str, int]] = field(default_factory=list)  # modules cut on their first axis

    def new(self, size: int) -> int:
        """A space of `size` channels."""
        self.sizes.append(size)
        self.parents.append(len(self.parents))
        return len(self.parents) - 1

    def root(self, space: int) -> int:
        """The space that it is one with."""
        while self.parents[space] != space:
            space = self.parents[space]
        return space

    def unite(self, a: int, b: int) -> int:
        """Make two spaces one: whoever keeps a channel of one keeps it of both."""
        a, b = self.root(a), self.root(b)
        if a != b:
            self.parents[b] = a
            if b in self.pinned:
                self.pinned.setdefault(a, self.pinned[b])
        return a

    def pin(self, space: int, why: str) -> None:
        """Keep all channels of a space."""
        self.pinned.setdefault(self.root(space), why)

    def dead(self) -> dict[int, Tensor]:
        """The removable channels of each space, bool; by root, to a fixed point.

        A channel goes if every reader either has no weight on it (in the rows that stay) or can
        take its constant over. What goes frees the channels that only it read. One channel
        of a space always stays.
        """
        roots = {self.root(s) for s in range(len(self.sizes))}
        gone = {r: torch.zeros(self.sizes[r], dtype=torch.bool) for r in roots}
        changed = True
        while changed:
            changed = False
            for root in sorted(roots):
                if any(self.root(pinned) == root for pinned in self.pinned):
                    continue
                free = torch.ones(self.sizes[root], dtype=torch.bool)
                for reader in self.readers:
                    if self.root(reader.space) == root:
                        stays = ~gone[self.root(reader.into)]
                        free &= ~reader.used[stays].any(0) | reader.absorbs
                free |= gone[root]
                if bool(free.all()):
                    free[int((~gone[root]).nonzero()[0])] = False
                if bool((free != gone[root]).any()):
                    gone[root], changed = free, True
        return gone


def unknown(size: int) -> Tensor:
    """No channel is known to be constant."""
    return torch.full((size,), float("nan"), dtype=torch.float64)


def read(
    name: str, module: nn.Module, value: Value, into: int, padded: bool
) -> tuple[Reader, Tensor]:
    """A Linear or convolution layer as a reader of `value`, and the constants of what it writes.

    `padded` says that zeros are read beside the channel's own entries, so that only a
    constant of 0 stays one.
    """
    weight = module.weight
    assert isinstance(weight, Tensor)
    wide = weight.detach().double().cpu()
    channels = len(value.constant)
    if isinstance(module, nn.Linear):
        wide = wide.reshape(len(wide), channels, value.repeat)
    wide = wide.reshape(len(wide), channels, -1)
    used, summed = (wide != 0).any(2), wide.sum(2)
    known = ~value.constant.isnan()
    absorbs = known & (value.constant == 0) if padded else known
    reader = Reader(name, into, value.space, used, summed, value.constant, absorbs)
    constant = absorbed(reader, absorbs)
    if module.bias is not None:
        constant = constant + module.bias.detach().double().cpu()  # type: ignore[operator]
    constant[(used & ~absorbs).any(1)] = float("nan")
    return reader, constant


def absorbed(reader: Reader, channels: Tensor) -> Tensor:
    """What the constants of some `channels` (bool) add to each output unit, (out,) float64."""
    taken = channels & ~reader.constant.isnan()
    return reader.weight[:, taken] @ reader.constant[taken]
