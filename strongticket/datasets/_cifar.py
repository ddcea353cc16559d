"""CIFAR-10 from the original batches, or from six lossless mosaics of them."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.datasets._images import Images
from strongticket.errors import InputError

_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
_MOSAICS = (*(f"train_{i}.webp" for i in range(1, 6)), "test.webp")
_WANTED = (
    "give the folder with data_batch_1 to 5 and test_batch (the python version, as torchvision "
    "keeps it), or with train_1 to 5.webp, test.webp and labels.npy"
)


def holds_cifar10(path: str | os.PathLike[str]) -> bool:
    """Whether a folder has CIFAR-10 in one of the two layouts, itself or one below."""
    return any((p / n).is_file() for p in _places(Path(path)) for n in (_BATCHES[0], _MOSAICS[0]))


def cifar10_folder(path: str | os.PathLike[str]) -> Images:
    """CIFAR-10: rows of 3,072 values in [0, 1], channels first, in the original order.

    Layouts: the five pickled batches and the test batch of the python version (the folder itself,
    or the one above, as torchvision keeps it), read without running any code; or mosaics, one
    3200 x 3200 lossless image of 100 x 100 tiles a batch, with all 60,000 labels in labels.npy
    (this needs Pillow). InputError where a file is missing or holds something else.
    """
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"no data folder {root}; {_WANTED}")
    for place in _places(root):
        if (place / _BATCHES[0]).is_file():
            parts = [_batch(place / name) for name in _BATCHES]
            return _images([x for x, _ in parts], [y for _, y in parts])
        if (place / _MOSAICS[0]).is_file():
            labels = _labels(place / "labels.npy")
            return _images([_mosaic(place / n) for n in _MOSAICS], np.split(labels, 6))
    raise InputError(f"{root} holds no CIFAR-10; {_WANTED}")


def _places(root: Path) -> tuple[Path, ...]:
    return root, root / "cifar-10-batches-py", root / "cifar10"


def _images(x: list[NDArray[np.uint8]], y: list[NDArray[Any]]) -> Images:
    scaled = [(part.astype(np.float32) / np.float32(255)) for part in x]
    labels = [part.astype(np.int64) for part in y]
    return Images(
        "cifar10",
        train_x=np.concatenate(scaled[:5]),
        train_y=np.concatenate(labels[:5]),
        test_x=scaled[5],
        test_y=labels[5],
    )


def _labels(path: Path) -> NDArray[Any]:
    try:
        labels = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if (
        labels.shape != (60_000,)
        or labels.dtype.kind not in "iu"
        or not ((labels >= 0) & (labels < 10)).all()
    ):
        raise InputError(f"{path} must hold 60,000 labels 0 to 9, got {labels.shape}")
    return np.asarray(labels)


def _mosaic(path: Path) -> NDArray[np.uint8]:
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError(f"{path.name} needs Pillow: pip install pillow") from error
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if pixels.shape != (3200, 3200, 3):
        raise InputError(f"{path} must be 3200 x 3200 pixels, got {pixels.shape[:2]}")
    tiles = pixels.reshape(100, 32, 100, 32, 3).transpose(0, 2, 4, 1, 3)
    return tiles.reshape(10_000, 3072)


class _Plain(pickle.Unpickler):
    """Arrays and plain values; a pickle that asks for anything else is no CIFAR-10 batch."""

    _KNOWN = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    try:
        found = _Plain(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        x, y = np.asarray(found[b"data"]), np.asarray(found[b"labels"])
    except Exception as error:  # a damaged pickle may ask for anything, and raise anything
        raise InputError(f"{path} is no CIFAR-10 batch: {error}") from error
    if x.shape != (10_000, 3072) or x.dtype != np.uint8 or y.shape != (10_000,):
        raise InputError(f"{path} must hold 10,000 rows of 3,072 bytes, got {x.dtype} {x.shape}")
    if y.dtype.kind not in "iu" or not ((y >= 0) & (y < 10)).all():
        raise InputError(f"{path} must hold labels 0 to 9, got others of {y.dtype}")
    return x, y
