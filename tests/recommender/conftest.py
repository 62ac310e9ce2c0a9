"""What tests of trainings share."""

import numpy as np
import pytest

from tests import factories


@pytest.fixture
def community() -> list[int]:
    """Forty anime of two kinds and eighty raters, each fond of one kind. No two titles look like one franchise."""
    rng = np.random.default_rng(0)
    syllables = [consonant + vowel for consonant in "bdgkmnprst" for vowel in "aeiou"]
    anime = [factories.anime("".join(rng.choice(syllables, 4))).pk for _ in range(40)]
    for number in range(80):
        fond = anime[:20] if number % 2 else anime[20:]
        rated = rng.choice(fond, 8, replace=False).tolist() + rng.choice(anime, 4, replace=False).tolist()
        factories.member({i: (9 if i in fond else 3) for i in rated} | {anime[0]: -1})
    return anime
