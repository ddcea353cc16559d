"""The checker's laws are the package's, word by word; certificates of each; the old format."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import gap, points, small, target
from test_blocks import random_ticket

from strongticket import Ball, Box, Network, Normal, SignedConstant, Uniform
from strongticket.errors import InputError
from strongticket.laws import Grid, Law, LogUniform, from_spec
from strongticket.verify import UnreadableError, certify, recheck
from strongticket.verify._certificate import seal
from strongticket.verify._recheck import _laws
from strongticket.verify._recheck._laws import LAWS, law_named
from strongticket.verify._recheck._weights import Parameter

KNOWN: list[Law] = [
    Uniform(0.5),
    SignedConstant(2.0),
    Normal(1.0),
    Grid(0.25, largest=1),
    Grid(1.0, largest=64),
    Grid(1.0, largest=1 << 24),
    LogUniform(1.0),
    LogUniform(2.0, cells=1),
    LogUniform(1.0, cells=7110),
    LogUniform(1.0, cells=23 * 1024),
]


@pytest.mark.parametrize("law", KNOWN, ids=lambda law: law.spec()["law"])
def test_units_of_every_kind_of_word(law: Law) -> None:
    rng = np.random.default_rng(0)
    edges = [(1 << k) + d for k in range(33) for d in range(-3, 4)]
    words = np.concatenate(
        [np.unique(np.clip(edges, 0, (1 << 32) - 1)), rng.integers(0, 1 << 32, 1 << 16)]
    )
    found = law_named(law.spec()["law"])
    assert found is not None
    units = found.units(words.astype(np.int64))
    assert units.tolist() == law.units(words.astype(np.uint32)).tolist()
    assert np.abs(units).max() <= 1 << 24
    assert found.grid == law.grid


@pytest.mark.parametrize("law", KNOWN, ids=lambda law: law.spec()["law"])
def test_weights_of_a_parameter(law: Law) -> None:
    made = Network.mlp((7, 30), laws=law, seed=9)
    parameter = Parameter(9, made.spec()["parameters"][0])
    at = np.arange(0, 210, 3)
    weights = parameter.weights(at)
    assert weights.dtype == np.float32
    assert weights.tobytes() == made.weights("layers.0.weight").ravel()[at].tobytes()
    assert parameter.exponent == law.exponent


@pytest.mark.parametrize("law", KNOWN, ids=lambda law: law.spec()["law"])
def test_certificates_of_every_law(tmp_path: Path, law: Law) -> None:
    of = target((2, 3, 2), Box(-1.0, 1.0))
    made = random_ticket((2, 9, 3, 2), [2, 1], 1, (law,))
    proved = certify(made, of)
    assert recheck(proved.save(tmp_path / "proof.json"), of).bound == proved.exact_bound
    rng = np.random.default_rng(0)
    assert max(gap(made, of, x) for x in points(of.domain, 2, rng, 4)) <= proved.exact_bound**2


def test_all_laws_of_the_package_are_known() -> None:
    names = {law.name for law in Law.__subclasses__() if law.__module__.startswith("strongticket")}
    assert names == set(LAWS)
    for law in KNOWN:
        assert from_spec(law.spec()) == law


def test_a_law_that_the_checker_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    made = random_ticket((2, 9, 3, 2), [2, 1], 1, (Uniform(1.0), SignedConstant(1.0)))
    monkeypatch.delitem(LAWS, "signed_constant")
    message = r"makes the weights of the laws uniform, .*; layers\.1\.weight has SignedConstant"
    with pytest.raises(InputError, match=message):
        certify(made, target((2, 3, 2), Box(-1.0, 1.0)))


def test_the_normal_table_is_held_to_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    _laws._tail.cache_clear()
    monkeypatch.setattr(_laws.math, "ldexp", lambda x, e: x * 2.0**e * (1 + 1e-6))
    with pytest.raises(UnreadableError, match="normal quantiles"):
        _laws._tail()
    _laws._tail.cache_clear()


# Certificates of format 1 are read as ever.

AS_EVER = {
    "box": (Box(-1.0, 0.5), "99415fb3d598843114265d823845c219ecf985358d9dcb00500137e38da1b836"),
    "ball": (Ball(1.0), "eae2205ea5ae244d496e85fd99a7516b8c548e772012288b88fd50ea8a74d5c5"),
}


def first_format(domain: Box | Ball) -> tuple[dict[str, Any], Fraction]:
    proved = small(domain)
    document = json.loads(json.dumps(proved.document()))
    assert document.pop("blocks") == [2, 2]
    assert document.pop("copies") == [None]
    document["format"] = 1
    return document, proved.exact_bound


@pytest.mark.parametrize(("domain", "digest"), AS_EVER.values(), ids=AS_EVER)
def test_the_first_format_is_confirmed(tmp_path: Path, domain: Box | Ball, digest: str) -> None:
    """The digest is of the bytes that the first version wrote."""
    document, bound = first_format(domain)
    data = seal(document)
    assert hashlib.sha256(data).hexdigest() == digest
    path = tmp_path / "proof.json"
    path.write_bytes(data)
    assert recheck(path).bound == bound


def test_the_first_format_has_no_blocks(tmp_path: Path) -> None:
    document, _ = first_format(Box(-1.0, 0.5))
    path = tmp_path / "proof.json"
    for more in ({"blocks": [2, 2]}, {"copies": [None]}, {"format": 2}):
        path.write_bytes(seal({**document, **more}))
        with pytest.raises(UnreadableError, match=r"blocks|copies"):
            recheck(path)
