"""MNIST and Fashion-MNIST from the four original idx files."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strongticket.datasets._images import Images
from strongticket.errors import InputError

_IDX = {
    "train_x": "train-images-idx3-ubyte",
    "train_y": "train-labels-idx1-ubyte",
    "test_x": "t10k-images-idx3-ubyte",
    "test_y": "t10k-labels-idx1-ubyte",
}


def holds_idx(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder has the training images of such a data set, itself or below."""
    return any(_begun(place) for place in _places(Path(folder)))


def idx_folder(folder: str | os.PathLike[str]) -> Images:
    """MNIST or Fashion-MNIST from a folder with the four original idx files, gzipped or not.

    The folder may be the one with the files or one above, in torchvision's layout
    (``MNIST/raw``). InputError where a file is missing or is no idx file.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"no data folder {root}; give the folder with {_IDX['train_x']}[.gz]")
    for place in _places(root):
        if _begun(place):
            arrays = {key: _read_idx(place, name) for key, name in _IDX.items()}
            _check(place, arrays)
            return Images(
                place.name,
                train_x=_flat(arrays["train_x"]),
                train_y=arrays["train_y"].astype(np.int64),
                test_x=_flat(arrays["test_x"]),
                test_y=arrays["test_y"].astype(np.int64),
            )
    raise InputError(
        f"{root} holds no {_IDX['train_x']} or {_IDX['train_x']}.gz; give the folder with the four "
        "original idx files"
    )


def _places(root: Path) -> tuple[Path, ...]:
    below = ("MNIST/raw", "FashionMNIST/raw", "raw", "mnist")
    return root, *(root / name for name in below)


def _begun(place: Path) -> bool:
    return any((place / f"{_IDX['train_x']}{end}").is_file() for end in ("", ".gz"))


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _check(folder: Path, arrays: Mapping[str, NDArray[np.uint8]]) -> None:
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_x"], arrays[f"{part}_y"]
        if len(images) != len(labels) or not len(labels):
            raise InputError(
                f"{folder} has {len(images)} images in {_IDX[f'{part}_x']} and {len(labels)} "
                f"labels in {_IDX[f'{part}_y']}; each image needs a label, and some are needed"
            )
    shapes = arrays["train_x"].shape[1:], arrays["test_x"].shape[1:]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{folder} has training images of {shapes[0]} and test images of {shapes[1]}"
        )


def _read_idx(folder: Path, name: str) -> NDArray[np.uint8]:
    plain, zipped = folder / name, folder / f"{name}.gz"
    path = plain if plain.is_file() else zipped
    try:
        data = gzip.decompress(path.read_bytes()) if path is zipped else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    dims = 3 if "idx3" in name else 1
    if len(data) < 4 + 4 * dims or data[:4] != bytes((0, 0, 8, dims)):
        raise InputError(f"{path} is not an idx file of unsigned bytes in {dims} dimension(s)")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", dims, 4))
    wanted, came = math.prod(shape), len(data) - 4 - 4 * dims
    if came != wanted:
        raise InputError(
            f"{path} {'is truncated' if came < wanted else 'has more than its header says'}: "
            f"{' x '.join(map(str, shape))} = {wanted} bytes were needed, {came} came"
        )
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dims).reshape(shape)
