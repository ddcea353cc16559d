"""A data folder of whatever kind."""

from __future__ import annotations

import os

from strongticket.datasets._cifar import cifar10_folder, holds_cifar10
from strongticket.datasets._idx import idx_folder
from strongticket.datasets._images import Images


def folder(path: str | os.PathLike[str]) -> Images:
    """MNIST, Fashion-MNIST or CIFAR-10, by what the folder holds; InputError where it is none."""
    return cifar10_folder(path) if holds_cifar10(path) else idx_folder(path)
