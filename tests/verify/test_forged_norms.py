"""Certificates whose claimed norms are below what they are of, and whose bounds are false."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from certificates import Document, forge

from strongticket.laws import Uniform
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
from strongticket.tickets import Mask, Ticket
from strongticket.verify import SPECTRAL, RefutedError, attack, certify, recheck
from strongticket.verify._recheck import _relaxation


def filled(network: Network, keep: bool) -> Ticket:
    """A ticket that keeps every weight, or none."""
    names = network.masked
    return Ticket(network, Mask.dense({n: np.full(network[n].shape, keep) for n in names}))


def test_a_negative_norm_of_nothing_lowers_no_bound(tmp_path: Path) -> None:
    """The outputs differ by 1 everywhere and no weight does: a negative norm would subtract."""
    of = Target([(np.zeros((1, 1), np.float32), np.ones(1, np.float32))], Ball(1.0))
    network = Network.mlp([1, 2, 1], laws=[Uniform(1.0)] * 2, seed=1, biases=[True, False])
    proof = certify(filled(network, keep=False), of, method=SPECTRAL)

    def lie(document: Document) -> None:
        document["claim"]["witness"]["layers"][-1]["norms"] = [(-5.0).hex()]
        document["claim"]["bound"] = "0"

    with pytest.raises(RefutedError, match="claims is negative"):
        recheck(forge(proof, lie, tmp_path / "lie.json"))


def test_weights_that_push_a_norm_below_all_floats(tmp_path: Path) -> None:
    """First-layer errors of 2^-200, divided by 2^900, are no floats, and no zeros either."""
    laws = [Uniform(2.0**-100)] * 2 + [Uniform(2.0**100)] * 2
    network = Network.mlp([1, 2, 1, 2, 1], laws=laws, seed=1)
    none = np.zeros((1, 1), np.float32)
    of = Target([(none, None), (none, None)], Box(-1.0, 1.0))
    made = filled(network, keep=True)
    proof = certify(made, of, method=SPECTRAL)
    false = proof.exact_bound * Fraction(6, 10)
    assert attack(made, of, starts=4, steps=20).exact_distance > false

    def lie(document: Document) -> None:
        said = document["claim"]["witness"]["layers"][0]["difference"]
        said |= {"weights": [900], "norms": [(0.0).hex()], "phases": [2], "slopes": [512]}
        document["claim"]["bound"] = str(false)

    with pytest.raises(RefutedError, match="a norm is larger"):
        recheck(forge(proof, lie, tmp_path / "lie.json"))


def test_errors_that_floats_cannot_tell_apart_are_rechecked(tmp_path: Path) -> None:
    """W+ - W and W- - W differ, by less than floats show: the checker sees it and is not misled."""
    laws = [Uniform(2.0**-40), Uniform(2.0**-40), Uniform(1.0), Uniform(1.0)]
    network = Network.mlp([2, 4, 3, 6, 1], laws=laws, seed=3)
    rng = np.random.default_rng(0)
    shapes = ((3, 2), (1, 3))
    of = Target([(rng.uniform(1, 2, s).astype(np.float32), None) for s in shapes], Box(-1.0, 1.0))
    bits = {n: np.zeros(network[n].shape, np.bool_) for n in network.masked}
    for start in (0, 2):
        reads = bits[f"layers.{start}.weight"]
        reads[np.arange(len(reads)), np.arange(len(reads)) % reads.shape[1]] = True
        bits[f"layers.{start + 1}.weight"][:] = True
    made = Ticket(network, Mask.dense(bits))
    proof = certify(made, of, method=SPECTRAL)
    plus, minus = proof.layers[0].plus, proof.layers[0].minus
    assert (plus != minus).any()
    assert recheck(proof.save(tmp_path / "proof.json"), of).bound == proof.exact_bound
    assert attack(made, of, starts=4, steps=20).exact_distance <= proof.exact_bound
    # Where they differ by much the norm of both sides is needed.
    one = np.array([[1, 2]], object)
    group = _relaxation.Group(*(np.zeros(2, object),) * 3, one[0] // one[0], 0, Fraction(1), half=1)
    form = _relaxation.Form(np.zeros(1, object), [one], 0)
    with pytest.raises(RefutedError, match="norm"):
        _relaxation._radius(form, np.zeros(1, np.int64), [group], [(2.0).hex()])
    assert _relaxation._radius(form, np.zeros(1, np.int64), [group], [(2.3).hex()]) > 2
