"""A data folder of whatever kind."""

from __future__ import annotations

import os
from pathlib import Path

from strongticket.datasets._cifar import cifar10_folder, holds_cifar10
from strongticket.datasets._idx import holds_idx, idx_folder
from strongticket.datasets._images import Images
from strongticket.errors import InputError


def folder(path: str | os.PathLike[str]) -> Images:
    """MNIST, Fashion-MNIST or CIFAR-10, by what the folder holds; InputError where it is none."""
    if holds_cifar10(path):
        return cifar10_folder(path)
    try:
        return idx_folder(path)
    except InputError as error:
        if Path(path).is_dir() and holds_idx(path):
            raise
        raise InputError(f"{error}; or, for CIFAR-10, the one with data_batch_1 to 5") from error
