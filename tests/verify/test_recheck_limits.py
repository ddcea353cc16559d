"""What `recheck` must not confirm unread, and what a small file must not cost; a second opinion.

The last test holds both the prover and the checker to a third propagation, written here from the
definitions in rationals, and refutes every step that is lowered by the least possible amount.
"""

from __future__ import annotations

import base64
import json
import re
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import press, put, small, target, ticket

from strongticket import Ball, Box, certify
from strongticket.verify import (
    DIFFERENTIAL_INTERVAL,
    WEIGHT_ERROR,
    Collapsed,
    RefutedError,
    UnreadableError,
    recheck,
)
from strongticket.verify._certificate import seal
from strongticket.verify._recheck import _file

CERTIFICATE = small(Box(-1.0, 1.0))


def document() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(CERTIFICATE.document()))
    return made


def behind_the_stream(d: dict[str, Any]) -> None:
    data = base64.b64decode(d["target"]["data"])
    d["target"]["data"] = base64.b64encode(data + b"more").decode()


UNREAD: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another activation": (put("ticket", "network", "architecture", "activation", "id"), "activ"),
    "a purpose": (put("ticket", "network", "purpose", "other"), "purpose"),
    "a word on the ticket": (put("ticket", "surely", "exact"), "surely"),
    "a newer ticket": (put("ticket", "format", 99), "tickets of format 1"),
    "buffers": (put("ticket", "buffers", {"mean": "00"}), "without buffers"),
    "a loose radius": (put("target", "domain", "low", "-1"), "float.hex"),
    "a loose scale": (put("ticket", "network", "parameters", 0, "scale", "1"), "float.hex"),
    "bytes behind the stream": (behind_the_stream, "cut short, or longer"),
}


@pytest.mark.parametrize(("lie", "message"), UNREAD.values(), ids=UNREAD)
def test_nothing_is_confirmed_unread(
    tmp_path: Path, lie: Callable[[dict[str, Any]], None], message: str
) -> None:
    made = document()
    lie(made)
    path = tmp_path / "proof.json"
    try:
        path.write_bytes(press(made))
    except Exception:  # the press cannot read it either
        path.write_bytes(seal(made))
    with pytest.raises(UnreadableError, match=message):
        recheck(path)


@pytest.mark.parametrize("array", ["target", "hidden", "kept"])
def test_a_small_file_fills_no_memory(tmp_path: Path, array: str) -> None:
    bomb = base64.b64encode(zlib.compress(bytes(1 << 28), 9)).decode()
    made = document()
    if array == "target":
        made["target"]["data"] = bomb
    else:
        made["layers"][0][array] = bomb
    path = tmp_path / "proof.json"
    path.write_bytes(seal(made))
    tracemalloc.start()
    try:
        with pytest.raises((UnreadableError, RefutedError)):
            recheck(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


def test_a_wide_layer_buys_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many neurons a layer is said to have, a list of them is no longer than the limit."""
    monkeypatch.setattr(_file, "LARGEST", 400)
    for count, fits in ((100, True), (101, False)):
        text = base64.b64encode(zlib.compress(bytes(4 * count))).decode()
        if fits:
            assert len(_file.unpack_ints(text, 1 << 40)) == count
        else:
            with pytest.raises(UnreadableError, match="longer than 400 bytes"):
                _file.unpack_ints(text, 1 << 40)


def test_widths_beyond_memory_are_refused(tmp_path: Path) -> None:
    made = document()
    made["target"]["widths"] = [10**6, 10**6, 1]
    path = tmp_path / "proof.json"
    path.write_bytes(seal(made))
    with pytest.raises(UnreadableError, match="takes targets of up to"):
        recheck(path)


def test_a_bound_of_any_size_is_printed(tmp_path: Path) -> None:
    made = document()
    made["claim"]["bound"] = "9" * 400
    path = tmp_path / "proof.json"
    path.write_bytes(seal(made))
    assert recheck(path).bound == int("9" * 400)
    made["claim"]["bound"] = "1" + "/" + "9" * 400
    path.write_bytes(seal(made))
    with pytest.raises(RefutedError, match=r"not 1\.0000000\d*e-400"):
        recheck(path)


@pytest.mark.parametrize("value", ["1234564/10000000", "3333333/10000000", "2/3", "1/7"])
def test_what_is_printed_is_still_a_bound(value: str) -> None:
    """To nearest, half of these would be printed below what was proved."""
    proof = replace(small(), exact_bound=Fraction(value))
    shown = re.fullmatch(r"Certificate\(bound=([^,]*), .*\)", repr(proof))
    assert shown is not None
    assert Fraction(value) <= Fraction(shown[1]) <= Fraction(value) * Fraction(100001, 100000)


# A third propagation, in rationals, straight from the definitions.


def exact_layers(of: Any, layers: tuple[Collapsed, ...]) -> list[tuple[Any, ...]]:
    made = []
    for w, b, layer in zip(of.weights, of.biases, layers, strict=True):
        unit = Fraction(2) ** layer.exponent
        bias = np.zeros(len(w)) if b is None else b
        made.append(
            (
                fractions(w, Fraction(1)),
                fractions(layer.plus, unit),
                fractions(layer.minus, unit),
                fractions([bias], Fraction(1))[0],
                fractions([layer.bias], unit)[0],
            )
        )
    return made


def fractions(array: Any, unit: Fraction) -> Any:
    return np.array([[Fraction(v) * unit for v in np.asarray(row).tolist()] for row in array])


def by_intervals(of: Any, layers: tuple[Collapsed, ...]) -> list[Fraction]:
    low = [Fraction(of.domain.low)] * of.widths[0]
    high = [Fraction(of.domain.high)] * of.widths[0]
    dlow, dhigh = [Fraction(0)] * len(low), [Fraction(0)] * len(low)
    found = []
    for i, (w, plus, minus, b, b_hat) in enumerate(exact_layers(of, layers)):
        z, d = [], []
        for j in range(len(w)):
            zl = zh = b[j]
            dl = dh = b_hat[j] - b[j]
            for k in range(len(low)):
                ends = [w[j, k] * low[k], w[j, k] * high[k]]
                zl, zh = zl + min(ends), zh + max(ends)
                at = {low[k], high[k]} | ({Fraction(0)} if low[k] < 0 < high[k] else set())
                errors = [((plus if y >= 0 else minus)[j, k] - w[j, k]) * y for y in at]
                moved = [plus[j, k] * dlow[k], plus[j, k] * dhigh[k]]
                dl, dh = dl + min(errors) + min(moved), dh + max(errors) + max(moved)
            z.append((zl, zh))
            d.append((dl, dh))
        if i < of.depth - 1:
            d = [
                (e, f)
                if zl >= 0 and zl + e >= 0
                else (max(min(e, 0), -max(zh, 0)), min(max(f, 0), max(zh + f, 0)))
                for (zl, zh), (e, f) in zip(z, d, strict=True)
            ]
        low, high = [max(zl, Fraction(0)) for zl, _ in z], [max(zh, Fraction(0)) for _, zh in z]
        dlow, dhigh = [e for e, _ in d], [f for _, f in d]
        found.append(max(max(abs(e), abs(f)) for e, f in d))
    return found


def by_sums(of: Any, layers: tuple[Collapsed, ...]) -> list[Fraction]:
    low, high = Fraction(of.domain.low), Fraction(of.domain.high)
    lows, highs = [low] * of.widths[0], [high] * of.widths[0]
    size = [max(abs(low), abs(high))] * of.widths[0]
    deviation = [Fraction(0)] * of.widths[0]
    found = []
    for i, (w, plus, minus, b, b_hat) in enumerate(exact_layers(of, layers)):
        error = abs(plus - w)
        if i == 0 and low < 0:
            error = np.maximum(error, abs(minus - w))
        deviation = [
            sum(abs(plus[j]) * deviation) + sum(error[j] * size) + abs(b_hat[j] - b[j])
            for j in range(len(w))
        ]
        tops = [
            b[j] + sum(max(v * p, v * q) for v, p, q in zip(w[j], lows, highs, strict=True))
            for j in range(len(w))
        ]
        size = highs = [max(t, Fraction(0)) for t in tops]
        lows = [Fraction(0)] * len(w)
        found.append(max(deviation))
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("domain", [Box(-1.0, 1.0), Box(-0.75, 2.0), Box(0.25, 1.0)], ids=str)
@pytest.mark.parametrize("method", [DIFFERENTIAL_INTERVAL, WEIGHT_ERROR])
def test_three_propagations_agree_and_nothing_less_passes(
    tmp_path: Path, seed: int, domain: Box, method: Any
) -> None:
    of = target((3, 4, 3, 2), domain, seed=seed)
    certificate = certify(ticket(of, accuracy=0.2), of, method=method)
    third = (by_intervals if method is DIFFERENTIAL_INTERVAL else by_sums)(of, certificate.layers)
    assert [step.deviation for step in certificate.steps] == third
    path = certificate.save(tmp_path / "proof.json")
    assert recheck(path).bound == third[-1]
    least = 1 - Fraction(1, 10**30)
    for i in range(of.depth):
        for name in ("weight_error", "bias_error", "deviation"):
            made = json.loads(json.dumps(certificate.document()))
            said = Fraction(made["steps"][i][name])
            if not said:
                continue  # there is no less to claim
            made["steps"][i][name] = str(said * least)
            path.write_bytes(seal(made))
            with pytest.raises(RefutedError, match=f"layer {i}: the {name.replace('_', ' ')}"):
                recheck(path)
    made = json.loads(json.dumps(certificate.document()))
    made["claim"]["bound"] = str(third[-1] * least)
    path.write_bytes(seal(made))
    with pytest.raises(RefutedError, match="the bound is"):
        recheck(path)


@pytest.mark.parametrize("seed", range(4))
def test_on_a_ball_every_term_counts(tmp_path: Path, seed: int) -> None:
    """The bound dominates spectral norms (float, with slack) and is no lower by any step."""
    of = target((3, 4, 2), Ball(1.5), seed=seed)
    certificate = certify(ticket(of, accuracy=0.2), of, method=WEIGHT_ERROR)
    size, deviation = 1.5, 0.0
    for i, parts in enumerate(exact_layers(of, certificate.layers)):
        w, plus, minus, b, b_hat = (np.array(p, dtype=float) for p in parts)
        error = np.abs(plus - w)
        if i == 0:
            error = np.maximum(error, np.abs(minus - w))
        deviation = (
            np.linalg.norm(error, 2) * size
            + np.linalg.norm(plus, 2) * deviation
            + np.linalg.norm(b_hat - b)
        )
        size = np.linalg.norm(w, 2) * size + np.linalg.norm(b)
        assert deviation * (1 - 1e-9) <= certificate.steps[i].deviation <= 4 * deviation
    path = tmp_path / "proof.json"
    for i in range(of.depth):
        made = json.loads(json.dumps(certificate.document()))
        said = Fraction(made["steps"][i]["deviation"])
        made["steps"][i]["deviation"] = str(said * (1 - Fraction(1, 10**30)))
        path.write_bytes(seal(made))
        with pytest.raises(RefutedError, match=f"layer {i}: the deviation"):
            recheck(path)
