"""Exact best masks of a frozen network with one hidden ReLU layer: weights against neurons.

`best_weight_mask` and `best_neuron_mask` find the mask of least loss on a finite sample and say
what of that is proved (`Exhaustive`, `BranchAndBound`: rational arithmetic) and what a solver
claims (`MILP`). `masked_loss` is the exact loss of any mask; `box_sample` turns the worst case
over a box into one on finitely many points. `fit_features` gives the hidden neurons free or bounded
output coefficients instead of a mask, and `select_neurons` goes back. `hardness` makes subset sums
of best masks and best masks of subset sums.
"""

from strongticket.optimal import hardness as hardness
from strongticket.optimal._box import box_sample as box_sample
from strongticket.optimal._losses import Loss as Loss
from strongticket.optimal._losses import masked_loss as masked_loss
from strongticket.optimal._methods import MILP as MILP
from strongticket.optimal._methods import BranchAndBound as BranchAndBound
from strongticket.optimal._methods import Exhaustive as Exhaustive
from strongticket.optimal._network import OneHidden as OneHidden
from strongticket.optimal._optimum import Optimum as Optimum
from strongticket.optimal._verbs import best_neuron_mask as best_neuron_mask
from strongticket.optimal._verbs import best_weight_mask as best_weight_mask
from strongticket.optimal.features import FeatureFit as FeatureFit
from strongticket.optimal.features import fit_features as fit_features
from strongticket.optimal.features import select_neurons as select_neurons
