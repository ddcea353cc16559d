"""All steps of a recheck in their order."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ._collapse import collapse
from ._errors import Recheck, RefutedError, UnreadableError, in_words
from ._file import (
    FORMATS,
    canonical,
    flags,
    need_keys,
    number,
    open_document,
    sha256,
    sizes,
    unpack_ints,
)
from ._layers import Copies, Layer, on_one_grid
from ._methods import COPIES, METHODS
from ._propagate import dyadic
from ._target import domain_of, target_arrays
from ._weights import GENERATOR, Parameter

_MALFORMED = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)


def recheck(path: str | os.PathLike[str], target: Any = None) -> Recheck:
    """Confirm a certificate file, or raise `UnreadableError` or `RefutedError`.

    If a target (anything with a `digest`) is given, the certificate must be about that one.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UnreadableError(f"cannot read {Path(path)}: {error.strerror}") from error
    document = open_document(data, str(path))
    try:
        return confirm(document, None if target is None else str(target.digest))
    except UnreadableError:
        raise
    except (*_MALFORMED, zlib.error) as error:
        raise UnreadableError(
            f"{path} is not a certificate of format {FORMATS}: {error!r}"
        ) from error


def confirm(document: dict[str, Any], target_digest: str | None) -> Recheck:
    names = "claim format layers steps target ticket ticket_id"
    need_keys(document, names if document["format"] == 1 else "blocks copies " + names)
    claim, target, ticket = document["claim"], document["target"], document["ticket"]
    need_keys(claim, "bound epsilon method norm" + " witness" * ("witness" in claim))
    arrays = target_arrays(target)
    if target_digest is not None and target["digest"] != target_digest:
        raise RefutedError("the certificate is about another target than the one given")
    need_keys(ticket, "buffers format kept kept_digest network network_digest provenance")
    if type(ticket["format"]) is not int or ticket["format"] != 1 or ticket["buffers"] != {}:
        raise UnreadableError("this checker knows tickets of format 1 without buffers")
    spec = ticket["network"]
    need_keys(spec, "architecture generator parameters seed")
    if spec["generator"] != GENERATOR:
        raise UnreadableError(
            f"this checker makes weights by {GENERATOR}, not {spec['generator']!r}"
        )
    parameters = {p["name"]: Parameter(spec["seed"], p) for p in spec["parameters"]}
    heads = [
        p.words(np.arange(min(1024, math.prod(p.shape)))).astype("<u4").tobytes()
        for p in (parameters[s["name"]] for s in spec["parameters"])
    ]
    if sha256(canonical(spec), *heads) != ticket["network_digest"]:
        raise RefutedError("the network's digest is not that of its specification and words")
    widths = widths_of(spec, parameters)
    blocks, copies = structure(document, widths, target["widths"])
    if len(document["layers"]) != len(arrays):
        raise RefutedError(f"{len(arrays)} layers need as many masks")

    kept: dict[str, Any] = {name: np.empty(0, np.int64) for name in parameters}
    effective = [
        collapse(i, stored, block, parameters, kept)
        for i, (stored, block) in enumerate(zip(document["layers"], blocks, strict=True))
    ]
    layers = on_one_grid(effective, arrays, copies)
    check_ticket(document, ticket, parameters, kept)

    domain = domain_of(target["domain"])
    if claim["norm"] != ("max" if domain["kind"] == "box" else "euclidean"):
        raise RefutedError(f"the norm of a {domain['kind']} is not {claim['norm']!r}")
    if claim["method"] not in METHODS:
        raise RefutedError(f"{claim['method']!r} proves nothing on a {domain['kind']}")
    if claim["method"] not in COPIES and any(c is not None for c in copies):
        raise RefutedError(f"{claim['method']!r} proves nothing where neurons are copies")
    proved = METHODS[claim["method"]](layers, domain, claim)
    deviations = proved if isinstance(proved, list) else None
    least = proved[-1] if isinstance(proved, list) else proved
    check_steps(document["steps"], layers, deviations, domain)
    bound = number(claim["bound"])
    if bound < least:
        raise RefutedError(f"the bound is {in_words(least)}, not {in_words(bound)}")
    return Recheck(
        bound=bound,
        epsilon=None if claim["epsilon"] is None else number(claim["epsilon"]),
        subset_sums=sum(a.size for pair in arrays for a in pair if a is not None),
        kept_weights=sum(len(k) for k in kept.values()),
        target_digest=target["digest"],
        ticket_id=document["ticket_id"],
    )


def structure(
    document: dict[str, Any], widths: list[int], target: list[int]
) -> tuple[list[range], list[Copies]]:
    """The layers of every block, and what the neurons behind it stand for.

    Any division into blocks and any copies may be claimed: what follows is proved for those.
    """
    sizes_of: list[int]
    stated: list[str | None]
    if document["format"] == 1:
        sizes_of, stated = [2] * (len(target) - 1), [None] * (len(target) - 2)
    else:
        sizes_of, stated = sizes(document["blocks"]), document["copies"]
    if len(sizes_of) != len(target) - 1 or sum(sizes_of) != len(widths) - 1:
        raise RefutedError("the blocks are not the network's layers, one block a target layer")
    if len(stated) != len(target) - 2:
        raise RefutedError("copies are stated for every hidden layer of the target, or null")
    ends = list(itertools.accumulate(sizes_of, initial=0))
    copies: list[Copies] = []
    for i, text in enumerate([*stated, None]):
        width, d = widths[ends[i + 1]], target[i + 1]
        found = None if text is None else unpack_ints(text, width).tolist()
        if found is None and width != d:
            raise RefutedError(f"the network has not the target's widths behind block {i}")
        if found is not None and (len(found) != width or not all(0 <= t <= d for t in found)):
            raise RefutedError(f"the copies behind block {i} name neurons that there are not")
        copies.append(found)
    if widths[0] != target[0]:
        raise RefutedError("the network has not the target's widths at its inputs")
    return [range(a, b) for a, b in itertools.pairwise(ends)], copies


def widths_of(spec: dict[str, Any], parameters: dict[str, Parameter]) -> list[int]:
    architecture = spec["architecture"]
    need_keys(architecture, "biases name widths")
    widths, biases = sizes(architecture["widths"]), flags(architecture["biases"])
    wanted: dict[str, tuple[int, ...]] = {}
    for i, bias in enumerate(biases):
        wanted[f"layers.{i}.weight"] = (widths[i + 1], widths[i])
        if bias:
            wanted[f"layers.{i}.bias"] = (widths[i + 1],)
    shapes = {name: p.shape for name, p in parameters.items()}
    one_each = len(biases) == len(widths) - 1 and len(spec["parameters"]) == len(shapes)
    if architecture["name"] != "mlp" or wanted != shapes or not one_each:
        raise RefutedError("the network's parameters are not those of its architecture")
    return list(widths)


def check_ticket(
    document: dict[str, Any],
    ticket: dict[str, Any],
    parameters: dict[str, Parameter],
    kept: dict[str, Any],
) -> None:
    digest = hashlib.sha256()
    for name in sorted(parameters):
        p = parameters[name]
        weights = p.weights(kept[name])
        digest.update(name.encode() + b"\0" + weights.astype("<f4").tobytes())
    if digest.hexdigest() != ticket["kept_digest"]:
        raise RefutedError("the kept weights, made again from the seed, have another digest")
    counts = {name: len(k) for name, k in kept.items()}
    if counts != ticket["kept"] or any(type(n) is not int for n in ticket["kept"].values()):
        raise RefutedError("the ticket keeps another number of weights than it says")
    raw = [kept[name].astype("<i8").tobytes() for name in sorted(kept)]
    if sha256(canonical(ticket), *raw) != document["ticket_id"]:
        raise RefutedError("the ticket_id is not that of the ticket's description and masks")


def check_steps(
    steps: list[dict[str, str]],
    layers: list[Layer],
    deviations: list[Fraction] | None,
    domain: dict[str, Any],
) -> None:
    if len(steps) != len(layers):
        raise RefutedError(f"a proof of {len(layers)} layers needs as many steps, got {len(steps)}")
    for i, (step, layer) in enumerate(zip(steps, layers, strict=True)):
        error = bias = 0
        rows = zip(layer.plus, layer.minus, layer.wanted, strict=True)
        for p_row, m_row, w_row in rows:
            error = max(error, *(abs(p - w) for p, w in zip(p_row, w_row, strict=True)))
            if i == 0 and domain["negative"]:
                error = max(error, *(abs(m - w) for m, w in zip(m_row, w_row, strict=True)))
        for own, wanted in zip(layer.b_hat, layer.wanted_bias, strict=True):
            bias = max(bias, abs(own - wanted))
        true = {
            "weight_error": dyadic(error, layer.exponent),
            "bias_error": dyadic(bias, layer.exponent),
        }
        if deviations is not None:
            true["deviation"] = deviations[i]
        elif step["deviation"] is not None:
            raise RefutedError(f"layer {i}: the method proves no deviation, only the bound")
        need_keys(step, "bias_error deviation weight_error")
        for name, value in true.items():
            said = number(step[name])
            if said < value:
                raise RefutedError(
                    f"layer {i}: the {name.replace('_', ' ')} is {in_words(value)}, more than "
                    f"the {in_words(said)} that the certificate says"
                )
