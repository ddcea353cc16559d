from torch.nn.utils import prune

from strongticket.testing import Claims, check_pruner, torch_pruner

SORTS = {"nested": True, "idempotent": True, "permutation_equivariant": True, "refuses_nan": False}


def test_torch_prune():
    by_size, rows = Claims(scale_invariant="layer", **SORTS), Claims(unit="neuron", **SORTS)
    check_pruner(torch_pruner(prune.l1_unstructured), by_size)
    check_pruner(torch_pruner(prune.ln_structured, n=2, dim=0), rows)
    check_pruner(torch_pruner(prune.random_unstructured), Claims(seeded=True, refuses_nan=False))
    whole = torch_pruner(prune.global_unstructured, pruning_method=prune.L1Unstructured)
    check_pruner(whole, Claims(scope="global", scale_invariant="network", **SORTS))
