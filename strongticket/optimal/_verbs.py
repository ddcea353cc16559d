"""`best_weight_mask` and `best_neuron_mask`."""

from __future__ import annotations

from fractions import Fraction

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.optimal._exhaustive import exhaust
from strongticket.optimal._losses import Loss, masked_loss, sample
from strongticket.optimal._methods import MILP, BranchAndBound, Exhaustive, Method
from strongticket.optimal._network import OneHidden
from strongticket.optimal._optimum import Optimum
from strongticket.optimal._tables import Layers, Tables, tables_of

EXHAUSTIVE = Exhaustive()


def best_weight_mask(
    network: OneHidden | Network,
    x: object,
    y: object,
    *,
    loss: Loss | str = Loss.MEAN_ABSOLUTE,
    layers: Layers = "both",
    mask_biases: bool = True,
    method: Method = EXHAUSTIVE,
) -> Optimum:
    r"""The mask over single weights with the least loss on a sample.

    .. math:: \min_{m, s}\ \mathrm{loss}\Bigl(y_i - \sum_j s_j v_j
              \max\bigl(0, \langle m_j \odot w_j, x_i \rangle + b_j\bigr)\Bigr),
              \qquad m \in \{0,1\}^{k \times d},\ s \in \{0,1\}^k.

    Args:
        network: one hidden ReLU layer, one output: `Network.mlp((d, k, 1), ...)` or `OneHidden`.
        x: (N, d) inputs: floats, integers or Fractions, taken for exactly what they are.
        y: (N,) labels.
        loss: "mean absolute", "mean squared" or "worst case" (on the sample).
        layers: which layers are masked: "first", "output" or "both".
        mask_biases: whether biases are masked with their layer; else they stay.
        method: `Exhaustive()` and `BranchAndBound()` prove, `MILP()` claims.

    Raises:
        InputError: what does not fit together, and too many masks for the method.
        ClaimError: a solver's answer that its own mask refutes.
    """
    frozen, wanted = OneHidden.of(network), Loss.named(loss)
    points, labels = sample(x, y, frozen.inputs)
    tables = tables_of(
        frozen, points, labels, layers=layers, mask_biases=mask_biases, whole_neurons=False
    )
    return _optimum(tables, wanted, method, points, labels)


def best_neuron_mask(
    network: OneHidden | Network,
    x: object,
    y: object,
    *,
    loss: Loss | str = Loss.MEAN_ABSOLUTE,
    method: Method = EXHAUSTIVE,
) -> Optimum:
    r"""The mask over whole hidden neurons with the least loss on a sample.

    A pruned neuron loses its incoming weights, its bias and its output weight; so every neuron
    mask is one of the weight masks on both layers. The output's bias stays.

    Args and errors as in `best_weight_mask`.
    """
    frozen, wanted = OneHidden.of(network), Loss.named(loss)
    points, labels = sample(x, y, frozen.inputs)
    tables = tables_of(frozen, points, labels, layers="both", mask_biases=True, whole_neurons=True)
    return _optimum(tables, wanted, method, points, labels)


def _optimum(tables: Tables, loss: Loss, method: Method, x: object, y: object) -> Optimum:
    if isinstance(method, Exhaustive):
        answer = exhaust(tables, loss, method)
    elif isinstance(method, BranchAndBound):
        from strongticket.optimal._branch import branch_and_bound

        answer = branch_and_bound(tables, loss, method)
    elif isinstance(method, MILP):
        from strongticket.optimal._milp import solve

        answer = solve(tables, loss, method)
    else:
        raise InputError(f"method must be Exhaustive(), BranchAndBound() or MILP(), got {method!r}")
    mask = tables.mask(answer.picks)
    exact = masked_loss(tables.network, mask, x, y, loss)
    measure = loss.measure(tables.residuals(answer.picks))
    count = len(tables.labels)
    assert exact == loss.of_measure(measure, count, tables.unit), "tables and weights disagree"
    bound = exact if answer.bound is None else answer.bound
    return Optimum(
        loss=exact,
        bound=bound,
        proved=isinstance(bound, Fraction) and bound == exact,
        objective=loss,
        method=answer.method,
        masks="neuron" if tables.whole_neurons else "weight",
        mask=mask,
        number=tables.numbered(answer.picks),
        maskable=sum(tables.bits),
        distinct=tables.combinations,
        examined=answer.examined,
        nodes=answer.nodes,
    )
