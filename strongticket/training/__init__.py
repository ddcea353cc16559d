"""Plain training: the targets of the demo, and the one trainer of all lottery-ticket experiments.

`Trainer` trains by the iteration: evaluation at fixed iterations, the early-stopping iteration
recorded, the order of the data a function of (seed, epoch) alone, so a run from iteration k on sees
the batches that a run from the start would see there. `hold` keeps pruned weights at zero under
any optimizer, in anybody's loop.
"""

from strongticket.training._data import Split as Split
from strongticket.training._data import split as split
from strongticket.training._hold import hold as hold
from strongticket.training._recipe import Evaluation as Evaluation
from strongticket.training._recipe import History as History
from strongticket.training._recipe import Recipe as Recipe
from strongticket.training._relu import accuracy as accuracy
from strongticket.training._relu import train_relu as train_relu
from strongticket.training._trainer import Trainer as Trainer
from strongticket.training._trainer import evaluate as evaluate
