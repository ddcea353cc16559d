"""Target file -> ticket -> certificate -> confirmed: what is printed is what is in the files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import EPSILON, Made, Runner, layers, named, state_dict

from strongticket import models
from strongticket.datasets import digits
from strongticket.search.by_name import NAMES
from strongticket.targets import Box, Target
from strongticket.tickets import Ticket
from strongticket.training import accuracy
from strongticket.verify._certificate import seal
from strongticket.verify._recheck._errors import in_words


def test_construct_writes_the_theorem_s_ticket(run: Runner, made: Made, tmp_path: Path) -> None:
    out = tmp_path / "t.safetensors"
    ended = run("construct", "--target", made.target_file, "--out", out)
    assert ended.code == 0
    assert Ticket.load(out) == made.ticket
    assert out.read_bytes() == made.ticket_file.read_bytes()
    for layer in made.ticket.provenance["layers"]:
        assert f"{layer['pool']} " in ended.out
        assert f" {layer['kept']}" in ended.out
    assert "construct layer 1" in ended.err


def test_construct_s_json_is_the_provenance(run: Runner, made: Made, tmp_path: Path) -> None:
    out = tmp_path / "t.safetensors"
    ended = run("construct", "--target", made.target_file, "--out", out, "--json")
    assert (ended.code, ended.err) == (0, "")
    found = ended.json
    assert found["id"] == made.ticket.ticket_id
    assert found["layers"] == made.ticket.provenance["layers"]
    assert found["ticket"] == str(out)


@pytest.mark.parametrize("objective", ["best", "sparsest", "lightest", "within"])
def test_every_objective_is_certified(
    run: Runner, made: Made, tmp_path: Path, objective: str
) -> None:
    out, proof = tmp_path / "t.safetensors", tmp_path / "p.json"
    construct = ("construct", "--target", made.target_file, "--objective", objective)
    assert run(*construct, "--seed", "3", "--out", out).code == 0
    ticket = Ticket.load(out)
    assert ticket.provenance["objective"] == objective
    assert ticket.network.seed == 3
    certify = ("certify", out, "--target", made.target_file, "--epsilon", str(EPSILON))
    assert run(*certify, "--out", proof).code == 0
    assert run("recheck", proof, "--target", made.target_file).code == 0


def test_certify_and_recheck_print_the_bound(run: Runner, made: Made, tmp_path: Path) -> None:
    proof = tmp_path / "p.json"
    arguments = ("certify", made.ticket_file, "--target", made.target_file, "--out", proof)
    shown = run(*arguments, "--epsilon", str(EPSILON))
    assert shown.code == 0
    assert proof.read_bytes() == made.certificate_file.read_bytes()
    words = in_words(made.certificate.exact_bound, 6)
    assert f"bound={words}," in shown.out
    found = run(*arguments, "--epsilon", str(EPSILON), "--json").json
    assert found["bound"] == made.certificate.bound
    assert found["method"] == made.certificate.method
    assert (found["holds"], found["epsilon"]) == (True, EPSILON)
    again = run("recheck", proof, "--json")
    assert (again.code, again.err) == (0, "")
    assert again.json["bound"] == made.certificate.bound
    assert again.json["kept_weights"] == made.ticket.mask.kept
    assert again.json["subset_sums"] == made.target.parameters
    assert again.json["target_digest"] == made.target.digest
    assert again.json["ticket_id"] == made.ticket.ticket_id
    shown = run("recheck", proof)
    assert f"<= {words}, " in shown.out
    assert f"{made.ticket.mask.kept:,} kept weights" in shown.out
    assert "holds" in shown.out


def test_no_epsilon_is_no_claim(run: Runner, made: Made, tmp_path: Path) -> None:
    proof = tmp_path / "p.json"
    arguments = ("certify", made.ticket_file, "--target", made.target_file, "--out", proof)
    assert run(*arguments).code == 0
    found = run("recheck", proof, "--json")
    assert (found.code, found.json["epsilon"], found.json["holds"]) == (0, None, None)


def test_an_epsilon_that_does_not_hold_exits_1(run: Runner, made: Made, tmp_path: Path) -> None:
    proof = tmp_path / "p.json"
    arguments = ("certify", made.ticket_file, "--target", made.target_file, "--out", proof)
    assert run(*arguments, "--epsilon", "1e-9").code == 1
    ended = run("recheck", proof)
    assert ended.code == 1
    assert "DOES NOT HOLD" in ended.out
    as_json = run("recheck", proof, "--json")
    assert (as_json.code, as_json.json["holds"]) == (1, False)


def forged(document: dict[str, Any], what: str) -> None:
    if what == "bound":
        document["claim"]["bound"] = "1/1000000"
    elif what == "step":
        document["steps"][0]["deviation"] = "0"
    else:
        document["ticket_id"] = "0" * 64


@pytest.mark.parametrize("what", ["bound", "step", "ticket_id"])
def test_a_forged_certificate_exits_1(run: Runner, made: Made, tmp_path: Path, what: str) -> None:
    document = made.certificate.document()
    honest = tmp_path / "honest.json"
    honest.write_bytes(seal(document))
    assert run("recheck", honest).code == 0
    forged(document, what)
    lie = tmp_path / "lie.json"
    lie.write_bytes(seal(document))
    ended = run("recheck", lie)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].startswith(f"failed: {lie}")


def test_a_certificate_of_another_target_exits_1(run: Runner, made: Made, tmp_path: Path) -> None:
    other = Target(layers(seed=1), Box(0.0, 1.0)).save(tmp_path / "other.safetensors")
    ended = run("recheck", made.certificate_file, "--target", other)
    assert (ended.code, ended.out) == (1, "")
    assert "another target" in ended.err


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_state_dict_is_a_target(run: Runner, made: Made, tmp_path: Path, suffix: str) -> None:
    arrays = named(layers(), "net.{}")
    file = state_dict(tmp_path / f"state{suffix}", arrays)
    box = ("--low", "0", "--high", "1")
    out, proof = tmp_path / "t.safetensors", tmp_path / "p.json"
    assert run("construct", "--target", file, *box, "--out", out).code == 0
    assert Ticket.load(out) == made.ticket
    assert run("certify", out, "--target", file, *box, "--out", proof).code == 0
    assert run("recheck", proof, "--target", file, *box).code == 0
    wider = ("--low", "-1", "--high", "1")
    assert run("recheck", proof, "--target", file, *wider).code == 1


@pytest.mark.parametrize("action", ["show", "check"])
def test_ticket_prints_what_the_file_holds(run: Runner, made: Made, action: str) -> None:
    shown = run("ticket", action, made.ticket_file)
    assert shown.code == 0
    size = made.ticket_file.stat().st_size
    assert f"{size:,} bytes" in shown.out
    assert made.ticket.ticket_id[:16] in shown.out
    found = run("ticket", action, made.ticket_file, "--json").json
    assert found["id"] == made.ticket.ticket_id
    assert found["kept"] == made.ticket.mask.kept
    assert found["total"] == made.ticket.mask.total
    assert found["network"] == made.ticket.network.digest
    assert found["bytes"] == size
    assert found["provenance"] == json.loads(json.dumps(made.ticket.provenance))


def test_ticket_show_lists_the_parameters(run: Runner, made: Made) -> None:
    shown = run("ticket", "show", made.ticket_file).out
    for parameter in made.ticket.network.parameters:
        (line,) = [t for t in shown.splitlines() if t.startswith(parameter.name + " ")]
        assert f" {made.ticket.mask[parameter.name].kept} " in line


def test_search_saves_the_mask_it_found(run: Runner, tmp_path: Path) -> None:
    out = tmp_path / "mask.safetensors"
    model = ("--model", "mlp-64-24-10")
    arguments = ("search", "--epochs", "2", *model, "--density", "0.25", "--out", out)
    found = run(*arguments, "--json")
    assert (found.code, found.err) == (0, "")
    ticket = Ticket.load(out)
    assert found.json["id"] == ticket.ticket_id
    assert found.json["density"] == ticket.mask.density == pytest.approx(0.25, abs=1e-3)
    assert found.json["accuracy"] > found.json["random_accuracy"]
    assert found.json["bytes"] == out.stat().st_size
    shown = run(*arguments)  # the same seed, the same mask
    assert shown.code == 0
    assert Ticket.load(out).ticket_id == ticket.ticket_id
    assert f"{found.json['accuracy']:.2%}" in shown.out
    assert f"{found.json['random_accuracy']:.2%}" in shown.out
    assert "searching a mask" in shown.err


@pytest.mark.parametrize("method", NAMES)
def test_every_method_saves_a_ticket_that_is_the_network(
    run: Runner, tmp_path: Path, method: str
) -> None:
    out = tmp_path / "mask.safetensors"
    options = ("--model", "mlp-64-16-10", "--epochs", "2", "--rate", "1")
    found = run("search", "--method", method, *options, "--out", out, "--json")
    assert (found.code, found.json["method"]) == (0, method)
    ticket = Ticket.load(out)
    data = digits()
    assert accuracy(ticket.into(models.named("mlp-64-16-10")), data) == found.json["accuracy"]
    assert accuracy(ticket.module(), data) == found.json["accuracy"]


def test_doctor_names_the_versions(run: Runner) -> None:
    found = run("doctor", "--json")
    assert found.code == 0
    assert found.json["numpy"] == np.__version__
    shown = run("doctor")
    assert shown.code == 0
    assert all(name in shown.out for name in found.json)


def test_progress_goes_to_standard_error(made: Made, tmp_path: Path) -> None:
    """As a user runs it: a process of its own, its two streams apart."""
    code = "from strongticket.cli import main; main()"
    arguments = ["construct", "--target", str(made.target_file), "--out", str(tmp_path / "t.st")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "construct layer 1" in done.stderr
    assert "construct layer" not in done.stdout
    assert done.stdout.startswith("Ticket(seed=0")


@pytest.mark.parametrize("name", ["layers.{}", "fc{}", "block{}.linear"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_layers_come_in_the_order_of_their_numbers(tmp_path: Path, name: str, suffix: str) -> None:
    """All layers are square: a wrong order would raise nothing."""
    random = np.random.default_rng(0)
    pairs = [(random.normal(size=(2, 2)).astype(np.float32), None) for _ in range(12)]
    file = state_dict(tmp_path / f"deep{suffix}", named([*pairs], name))
    loaded = Target.load(file, Box(0.0, 1.0))
    assert loaded.digest == Target(pairs, Box(0.0, 1.0)).digest
    assert Target.load(loaded.save(tmp_path / "again.safetensors")).digest == loaded.digest


def test_bfloat16_and_parameters_are_read_exactly(tmp_path: Path) -> None:
    import torch

    weight = torch.nn.Parameter(torch.tensor([[0.5, -1.25]], dtype=torch.bfloat16))
    torch.save({"0.weight": weight}, tmp_path / "half.pt")
    assert Target.load(tmp_path / "half.pt", Box(0.0, 1.0)).weights[0].tolist() == [[0.5, -1.25]]
