"""Pruning: scores at initialisation, lottery tickets with training, trained models made smaller."""

from strongticket.pruning.criteria import CRITERIA as CRITERIA
from strongticket.pruning.criteria import criterion as criterion
from strongticket.pruning.scores import gradient as gradient
from strongticket.pruning.scores import grasp as grasp
from strongticket.pruning.scores import magnitude as magnitude
from strongticket.pruning.scores import random_scores as random_scores
from strongticket.pruning.scores import snip as snip
from strongticket.pruning.scores import synaptic_flow as synaptic_flow
from strongticket.pruning.scores import synflow as synflow
