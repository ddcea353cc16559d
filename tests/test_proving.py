"""`prove`: every number of a `Proof` is that of the files, and a false one does not pass."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strongticket import proving, subsetsum
from strongticket.errors import ClaimError, FileError, InputError
from strongticket.proving import confirm, prove
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import pensia2020
from strongticket.tickets import Ticket
from strongticket.verify import Certificate

EXPLICIT = pensia2020.EXPLICIT


def target(domain: Box | Ball | None = None) -> Target:
    random = np.random.default_rng(3)
    first = random.uniform(-0.5, 0.5, (4, 3)).astype(np.float32)
    second = random.uniform(-0.5, 0.5, (6, 4)).astype(np.float32)  # more outputs than hidden
    return Target([(first, None), (second, first[0, 0] + second[:, 0])], domain or Box(0.0, 1.0))


def proved(folder: Path, **options: Any) -> tuple[Ticket, Certificate, proving.Proof]:
    asked = {"epsilon": 0.05, "delta": 0.01, "seed": 1, "starts": 20, "steps": 20} | options
    of = asked.pop("target", None) or target()
    return prove(EXPLICIT, of, folder=folder, name="it", **asked)


@pytest.mark.parametrize("domain", [Box(0.0, 1.0), Box(-1.0, 1.0), Ball(1.0)], ids=str)
def test_every_number_is_that_of_the_files(tmp_path: Path, domain: Box | Ball) -> None:
    given = target(domain)
    stages: list[str] = []
    ticket, certificate, proof = proved(
        tmp_path / "new" / "folder", target=given, progress=lambda text, *_: stages.append(text)
    )
    assert Ticket.load(proof.ticket_file) == ticket
    confirmed = confirm(proof.certificate_file, given)
    assert confirmed.bound == certificate.exact_bound
    assert (proof.holds, proof.rechecked) == (True, True)
    assert proof.bound == certificate.bound >= confirmed.bound
    assert 0 < proof.lower_bound <= proof.bound <= proof.epsilon
    assert proof.ticket_bytes == proof.ticket_file.stat().st_size
    assert proof.certificate_bytes == proof.certificate_file.stat().st_size
    assert proof.kept_weights == ticket.mask.kept == confirmed.kept_weights
    network = EXPLICIT.network(given, epsilon=0.05, delta=0.01, seed=1)
    assert proof.widths == network.architecture.widths  # type: ignore[union-attr]
    assert proof.random_weights == sum(p.numel for p in network.parameters)
    hidden = proof.widths[1::2]
    for i, (pool, read, live) in enumerate(
        zip(proof.pools, proof.candidates_read, proof.live_neurons, strict=True)
    ):
        inputs = given.widths[i] + (given.biases[i] is not None)
        assert hidden[i] == pool * inputs
        assert 0 < read <= 2 * pool
        assert 0 < live <= hidden[i]
    assert list(proof.seconds) == ["construct", "certify", "attack", "save", "recheck"]
    assert json.loads(json.dumps(proof.to_json()))["ticket_file"] == str(proof.ticket_file)
    for stage in ("construct layer 2", "certify", "attack", "recheck"):
        assert any(text.startswith(stage) for text in stages)


def test_options_go_to_the_construction(tmp_path: Path) -> None:
    best = proved(tmp_path)[2]
    sparse = proved(tmp_path, objective=subsetsum.sparsest)[2]
    assert sparse.kept_weights < best.kept_weights


def test_a_confirmation_of_another_bound_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = proving.recheck

    def other(*arguments: Any) -> Any:
        found = honest(*arguments)
        return replace(found, bound=found.bound + Fraction(1, 10**9))

    monkeypatch.setattr(proving, "recheck", other)
    assert not proved(tmp_path)[2].rechecked


def test_a_false_certificate_is_a_claim_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Certificate.document

    def lying(self: Certificate) -> dict[str, Any]:
        document = honest(self)
        document["claim"]["bound"] = "1/1000000"
        return document

    monkeypatch.setattr(Certificate, "document", lying)
    with pytest.raises(ClaimError, match=r"it\.proof\.json: the bound is"):
        proved(tmp_path)


def test_no_file_no_confirmation(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read"):
        confirm(tmp_path / "none.json")


def test_a_folder_that_cannot_be_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(type(EXPLICIT), "network", None)  # the work would raise a TypeError
    with pytest.raises(FileError, match="cannot make the folder"):
        proved(tmp_path / "file" / "below")


@pytest.mark.parametrize("options", [{"epsilon": 0.0}, {"delta": 1.0}, {"seed": -1}])
def test_nothing_is_written_for_bad_arguments(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        proved(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []
