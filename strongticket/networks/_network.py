"""`Network`: a frozen random network whose weights are a function of (seed, name, index)."""

from __future__ import annotations

import functools
import math
import operator
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from strongticket import canonical, laws, philox
from strongticket.activations import RELU, Activation
from strongticket.errors import InputError
from strongticket.laws import Law
from strongticket.networks import _architectures, _sample
from strongticket.networks._architectures import MLP, Architecture, UserModel

if TYPE_CHECKING:
    from torch import nn

DENSE_LIMIT = 1 << 28  # entries of one dense array (1 GiB of float32) that are made unasked


@dataclass(frozen=True)
class Parameter:
    """One weight array of a network: its name, shape and law, and whether masks prune it."""

    name: str
    shape: tuple[int, ...]
    law: Law
    masked: bool = True

    def __post_init__(self) -> None:
        sizes = all(isinstance(n, int) and n >= 0 for n in self.shape)
        if not (isinstance(self.name, str) and sizes and self.numel < 1 << 63):
            raise InputError(
                f"{self.name!r} needs a shape of integers >= 0, their product below 2^63, got "
                f"{self.shape}"
            )

    @property
    def numel(self) -> int:
        """The number of weights."""
        return math.prod(self.shape)

    def spec(self) -> dict[str, Any]:
        """A canonical description."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "masked": self.masked,
            **self.law.spec(),
        }


@dataclass(frozen=True)
class Network:
    """A frozen random network: any block of any weight array on demand, never trained.

    Weight i (C order) of a parameter is its law's function of word i of the Philox stream named
    ("weights", parameter name). So a network of 10^10 weights costs nothing until a block is
    asked for, and every device and every block size gives the same bits. Copies and pickles leave
    the live model of `sample` behind: it is no part of the value.
    """

    architecture: Architecture
    parameters: tuple[Parameter, ...]
    seed: int
    _model: weakref.ReferenceType[nn.Module] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "seed", operator.index(self.seed))
        except TypeError:
            raise InputError(f"seed must be an integer, got {self.seed!r}") from None
        if not 0 <= self.seed < 1 << 64:
            raise InputError(f"seed must be an integer in [0, 2^64), got {self.seed!r}")
        names = [p.name for p in self.parameters]
        if len(set(names)) < len(names):
            raise InputError(f"parameter names must differ, got {names}")
        streams = {philox.stream("weights", name) for name in names}
        if len(streams) < len(names):
            raise InputError("two parameter names fall on one random stream; rename one")
        shapes = {p.name: p.shape for p in self.parameters}
        if isinstance(self.architecture, MLP) and not (
            self.architecture.shapes() == shapes and all(p.masked for p in self.parameters)
        ):
            raise InputError(
                "an MLP's parameters are those of its architecture, all masked: "
                f"{self.architecture.shapes()}; got {shapes}"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_model": None}

    @classmethod
    def mlp(
        cls,
        widths: Sequence[int],
        *,
        laws: Law | Sequence[Law],
        seed: int,
        biases: bool | Sequence[bool] = False,
        activation: Activation | str = RELU,
    ) -> Network:
        """A fully connected (ReLU) network; a layer's bias is drawn from the layer's law."""
        depth = len(widths) - 1
        flags = (biases,) * depth if isinstance(biases, bool) else tuple(biases)
        architecture = MLP(tuple(widths), flags, Activation.of(activation))
        per_layer = (laws,) * depth if isinstance(laws, Law) else tuple(laws)
        if len(per_layer) != depth:
            raise InputError(f"depth {depth} needs {depth} laws, got {len(per_layer)}")
        shapes = architecture.shapes()
        parameters = []
        for name, shape in shapes.items():
            prefix, _, _ = name.rpartition(".")
            law = per_layer[int(prefix.split(".")[1])].at(shapes[f"{prefix}.weight"])
            parameters.append(Parameter(name, shape, law))
        return cls(architecture, tuple(parameters), seed)

    @classmethod
    def sample(
        cls,
        model: nn.Module,
        law: Law,
        seed: int,
        *,
        include: Sequence[str] = ("*",),
        exclude: Sequence[str] = (),
    ) -> Network:
        """Draw frozen weights into a user's model, in place, and remember how.

        Parameters of two or more dimensions are drawn from `law`. Those of fewer become
        constants, since a ticket must make them again from nothing: a bias (also "beta") 0; the
        "weight", "gamma" or "scale" of a norm 1, a norm being a module with "Norm" in the name of
        its class or of a base; the slope of a PReLU its `init`. Any other (a layer scale, a
        temperature) is refused: register it as a buffer, which a ticket stores.

        Masks prune the drawn parameters whose name matches a pattern of `include` and none of
        `exclude` (shell patterns, each of which must match something); all others are frozen
        (``requires_grad`` False). Names are those of the plain model: what ``torch.compile``, of
        the model or of a submodule, and DDP add to them is dropped. The network keeps a weak
        reference to the model.

        Raises InputError, before anything is written, for a pattern that matches nothing, a model
        with nothing to mask, and a parameter that is neither drawn nor a known constant.
        """
        drawn = _sample.drawn_parameters(model, include, exclude)
        parameters = tuple(
            Parameter(name, shape, law.at(shape), masked) for name, shape, masked in drawn
        )
        from strongticket.networks import _modules

        plain = _sample.plain(model)
        known = _modules.architecture_of(plain) if all(p.masked for p in parameters) else None
        architecture = known or UserModel(type(plain).__name__)
        network = cls(architecture, parameters, seed, weakref.ref(model))
        _sample.write_frozen(network, model)
        return network

    @property
    def model(self) -> nn.Module | None:
        """The live model of `sample`, if it still exists."""
        return None if self._model is None else self._model()

    @property
    def masked(self) -> tuple[str, ...]:
        """The names of the parameters that masks prune."""
        return tuple(p.name for p in self.parameters if p.masked)

    def __getitem__(self, name: str) -> Parameter:
        """The parameter of that name."""
        try:
            return self._by_name[name]
        except KeyError:
            known = ", ".join(self._by_name)
            raise InputError(f"no parameter {name!r}; the network has {known}") from None

    @functools.cached_property
    def _by_name(self) -> dict[str, Parameter]:
        return {p.name: p for p in self.parameters}

    def units(self, name: str, start: int, count: int) -> NDArray[np.int32]:
        """Integer units `start`, ..., `start + count - 1` (C order) of a parameter."""
        parameter = self[name]
        if start < 0 or count < 0 or start + count > parameter.numel:
            raise InputError(
                f"{name} has weights 0 .. {parameter.numel - 1}; asked for {count} from {start}"
            )
        return parameter.law.units(
            philox.words(self.seed, philox.stream("weights", name), start, count)
        )

    def units_at(self, name: str, indices: NDArray[np.int64]) -> NDArray[np.int32]:
        """The integer units with the given flat indices, an array of the same shape."""
        parameter = self[name]
        indices = np.asarray(indices, np.int64)
        if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < parameter.numel:
            raise InputError(
                f"{name} has weights 0 .. {parameter.numel - 1}; asked for indices from "
                f"{int(indices.min())} to {int(indices.max())}"
            )
        return parameter.law.units(
            philox.words_at(self.seed, philox.stream("weights", name), indices)
        )

    def block(self, name: str, start: int, count: int) -> NDArray[np.float32]:
        """Weights `start`, ..., `start + count - 1` (C order) of a parameter, float32."""
        return self[name].law.weights_of(self.units(name, start, count))

    def weights(self, name: str, limit: int = DENSE_LIMIT) -> NDArray[np.float32]:
        """A whole weight array, float32, in the parameter's shape; refused beyond `limit`."""
        parameter = self[name]
        if parameter.numel > limit:
            raise InputError(
                f"{name} has {parameter.numel:,} weights, more than the {limit:,} that are made "
                "at once; ask for block()s, or raise limit="
            )
        return self.block(name, 0, parameter.numel).reshape(parameter.shape)

    def spec(self) -> dict[str, Any]:
        """A canonical description, from which `from_spec` makes an equal network."""
        return {
            "generator": philox.GENERATOR,
            "seed": self.seed,
            "architecture": self.architecture.spec(),
            "parameters": [p.spec() for p in self.parameters],
        }

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> Network:
        """The network that `spec` describes; InputError where it describes none."""
        if spec.get("generator") != philox.GENERATOR:
            raise InputError(
                f"this version makes weights by {philox.GENERATOR}, not {spec.get('generator')!r}"
            )
        try:
            parameters = tuple(
                Parameter(
                    p["name"],
                    tuple(p["shape"]),
                    laws.from_spec({"law": p["law"], "scale": p["scale"]}),
                    bool(p["masked"]),
                )
                for p in spec["parameters"]
            )
            network = cls(_architectures.from_spec(spec["architecture"]), parameters, spec["seed"])
            same = canonical.dumps(network.spec()) == canonical.dumps(spec)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"not a network's specification: {error!r} in {spec!r}") from error
        if not same:
            raise InputError(f"a network's specification has other keys or types: {spec!r}")
        return network

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical specification and the first 1,024 words of every parameter."""
        parts = [canonical.dumps(self.spec())]
        for p in self.parameters:
            stream = philox.stream("weights", p.name)
            head = philox.words(self.seed, stream, 0, min(1024, p.numel))
            parts.append(head.astype("<u4").tobytes())
        return canonical.sha256(*parts)
