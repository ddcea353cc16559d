"""Theorems as values. One module a paper; `THEOREMS` lists them by hand."""

from strongticket.theorems import burkholz2022 as burkholz2022
from strongticket.theorems import dacunha2022 as dacunha2022
from strongticket.theorems import diffenderfer2021 as diffenderfer2021
from strongticket.theorems import fischer2021 as fischer2021
from strongticket.theorems import gadhikar2023 as gadhikar2023
from strongticket.theorems import kumar2025 as kumar2025
from strongticket.theorems import malach2020 as malach2020
from strongticket.theorems import natale2024 as natale2024
from strongticket.theorems import orseau2020 as orseau2020
from strongticket.theorems import otsuka2024 as otsuka2024
from strongticket.theorems import pensia2020 as pensia2020
from strongticket.theorems import random_subset_sum as random_subset_sum
from strongticket.theorems import sreenivasan2022 as sreenivasan2022
from strongticket.theorems import xiong2023 as xiong2023
from strongticket.theorems._evidence import Effort as Effort
from strongticket.theorems._evidence import Row as Row
from strongticket.theorems._size import Asked as Asked
from strongticket.theorems._size import Shape as Shape
from strongticket.theorems._theorem import Hypothesis as Hypothesis
from strongticket.theorems._theorem import Theorem as Theorem

THEOREMS: tuple[Theorem, ...] = (
    random_subset_sum.R1,
    random_subset_sum.R1PLUS,
    random_subset_sum.R1PLUS_WHOLE,
    random_subset_sum.DYNAMIC_PROGRAM,
    random_subset_sum.PRODUCT,
    random_subset_sum.COUNTING,
    dacunha2022.RECALLED,
    dacunha2022.NORMAL,
    dacunha2022.NORMAL_PRODUCT,
    dacunha2022.REACH,
    orseau2020.RECALLED,
    orseau2020.SAMPLES,
    orseau2020.NETWORK,
    pensia2020.PUBLISHED,
    pensia2020.FIRST,
    pensia2020.EXPLICIT,
    pensia2020.LOWER,
    malach2020.WEIGHTS,
    malach2020.COUNT,
    malach2020.PRODUCT,
    malach2020.FEATURES,
    malach2020.SAMPLES,
    malach2020.SINGLE_NEURON,
    malach2020.RECALLED,
    malach2020.HARDNESS,
    burkholz2022.RECALLED,
    burkholz2022.EXPLICIT,
    fischer2021.RECALLED,
    fischer2021.EXPLICIT,
    fischer2021.LOOKS_LINEAR,
    kumar2025.PUBLISHED,
    kumar2025.SUMS,
    kumar2025.EXACT,
    kumar2025.COPIES,
    kumar2025.LOWER,
    diffenderfer2021.RECALLED,
    diffenderfer2021.MEAN,
    sreenivasan2022.RECALLED,
    sreenivasan2022.DOUBLING,
    natale2024.SUBSETS,
    natale2024.NETWORK,
    natale2024.PAIRS,
    natale2024.EXPLICIT,
    natale2024.LOWER,
    gadhikar2023.RECALLED,
    gadhikar2023.SAMPLES,
    gadhikar2023.EXPLICIT,
    gadhikar2023.REALISABLE,
    otsuka2024.RECALLED,
    otsuka2024.EXPLICIT,
    xiong2023.RECALLED,
    xiong2023.PERTURBED,
)
