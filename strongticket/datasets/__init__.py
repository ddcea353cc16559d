"""Real image data: the shipped digits, and folders of the user's own in the original layouts.

Nothing is ever downloaded.
"""

from strongticket.datasets._cifar import cifar10_folder as cifar10_folder
from strongticket.datasets._folder import folder as folder
from strongticket.datasets._idx import idx_folder as idx_folder
from strongticket.datasets._images import Images as Images
from strongticket.datasets._images import digits as digits
