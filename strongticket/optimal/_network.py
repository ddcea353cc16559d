"""`OneHidden`: the frozen network with one hidden ReLU layer and one output that is pruned here."""

from __future__ import annotations

from dataclasses import dataclass

from strongticket.errors import InputError
from strongticket.networks import MLP, Network
from strongticket.optimal._integers import Array, numbers
from strongticket.targets import Target


@dataclass(frozen=True, eq=False)
class OneHidden:
    r"""The frozen network :math:`x \mapsto \sum_j v_j \max(0, \langle w_j, x \rangle + b_j) + c`.

    Attributes:
        weights: w of shape (k, d).
        output: v of shape (k,).
        bias: b of shape (k,), or None where there is none.
        output_bias: c of shape (1,), or None where there is none.

    Floats, integers and Fractions are all taken for exactly what they are. Raises InputError for
    shapes that do not fit, NaN and infinity.
    """

    weights: Array
    output: Array
    bias: Array | None = None
    output_bias: Array | None = None

    def __post_init__(self) -> None:
        weights = numbers("weights", self.weights, 2)
        output = numbers("output", self.output, 1)
        k, d = weights.shape
        if not k or not d:
            raise InputError(f"weights needs one neuron and one input at least, got {(k, d)}")
        if output.shape != (k,):
            raise InputError(f"output must have shape ({k},), one weight a neuron: {output.shape}")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "output", output)
        for name, size in (("bias", k), ("output_bias", 1)):
            if getattr(self, name) is not None:
                found = numbers(name, getattr(self, name), 1)
                if found.shape != (size,):
                    raise InputError(f"{name} must have shape ({size},), got {found.shape}")
                object.__setattr__(self, name, found)

    @property
    def width(self) -> int:
        """The number k of hidden neurons."""
        return int(self.weights.shape[0])

    @property
    def inputs(self) -> int:
        """The number d of inputs."""
        return int(self.weights.shape[1])

    @classmethod
    def of(cls, network: OneHidden | Network | Target) -> OneHidden:
        """The same function read off a `Network.mlp` or a `Target` with widths (d, k, 1).

        Raises InputError for any other architecture.
        """
        if isinstance(network, OneHidden):
            return network
        if isinstance(network, Target):
            widths = (network.weights[0].shape[1], *(w.shape[0] for w in network.weights))
            _check_widths(widths)
            first, last = network.weights
            return cls(first, last[0], *network.biases)
        if not isinstance(network, Network):
            raise InputError(
                "network must be a Network.mlp, a Target or an optimal.OneHidden(weights, output), "
                f"got {type(network).__name__}"
            )
        architecture = network.architecture
        if not isinstance(architecture, MLP):
            raise InputError(
                f"{architecture} is not one hidden ReLU layer that strongticket knows; make the "
                "network by Network.mlp((d, k, 1), ...), or give OneHidden(weights, output)"
            )
        _check_widths(architecture.widths)
        biases = [
            network.weights(f"layers.{i}.bias") if flag else None
            for i, flag in enumerate(architecture.biases)
        ]
        last = network.weights("layers.1.weight")[0]
        return cls(network.weights("layers.0.weight"), last, *biases)


def _check_widths(widths: tuple[int, ...]) -> None:
    if len(widths) != 3 or widths[2] != 1:
        raise InputError(
            "exact best masks are found for one hidden layer and one output, widths (d, k, 1); "
            f"this network has widths {widths}. Deeper or wider networks can be pruned by a "
            "construction or by a mask search, or one output at a time"
        )
