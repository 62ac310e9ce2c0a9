"""Which anime a list may hold, and the choice of those that it shows from the scores of all."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from recommender.engine import reranking
from recommender.engine.retrieval import top_k
from recommender.serving.anime_arrays import CatalogueArrays
from recommender.serving.controls import MOST_DIVERSITY, MOST_NOVELTY, NO_CONTROLS, Controls, extras_of_unbegun

#: How many of the best are there to choose from where the list is mixed; behind them it goes on by score.
RERANKED = 200
#: How many of the best by score a list of one anime is made of, so that one of a franchise leaves enough.
FRANCHISE_SLACK = 2


class Candidates:
    """Which anime may be recommended in this call, and how the list is mixed."""

    def __init__(
        self,
        anime: CatalogueArrays,
        excluded: Collection[int],
        shows_adult: bool,
        controls: Controls = NO_CONTROLS,
    ) -> None:
        self.anime = anime
        self.controls = controls
        self.barred = ~controls.allowed(anime)
        if not shows_adult:
            self.barred |= anime.is_adult
        self.barred[anime.places(excluded)] = True

    def bar_extras(self, begun: Collection[int]) -> None:
        """Leave out OVAs, specials and music videos of what nothing of `begun` belongs to."""
        self.barred |= extras_of_unbegun(self.anime, begun)

    def bar(self, left_out: NDArray[np.bool_], *, but: Collection[int] = ()) -> None:
        """Leave out these anime of the catalogue [n_anime], except for the ids of `but`."""
        left_out[self.anime.places(but)] = False
        self.barred |= left_out

    def franchises_of(self, item_ids: np.ndarray) -> NDArray[np.int64]:
        """The franchises of `item_ids` [n_items], -1 for those that the catalogue does not have."""
        franchises: NDArray[np.int64] = np.append(self.anime.franchises, -1)[self.anime.positions(item_ids)]
        return franchises

    def barred_of(self, item_ids: np.ndarray) -> NDArray[np.bool_]:
        """Which of `item_ids` must not come [n_items]; those that the catalogue does not have among them."""
        positions = self.anime.positions(item_ids)
        return (positions < 0) | self.barred[positions] if len(self.barred) else np.ones(len(item_ids), dtype=bool)

    def best_of(self, item_ids: np.ndarray, scores: np.ndarray, k: int) -> list[tuple[int, float]]:
        """The best `k` of `item_ids` by `scores`, each [n_items]: (row, score), best first."""
        rows, values = self._best_of(item_ids, scores, k)
        return list(zip(rows.tolist(), values.tolist(), strict=True))

    def _best_of(self, item_ids: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        rows, values = top_k(scores[None, :], k, exclude=self.barred_of(item_ids)[None, :])
        found = rows[0] >= 0
        return rows[0][found], values[0][found]

    def mixed(
        self,
        item_ids: np.ndarray,
        scores: np.ndarray,
        k: int,
        *,
        vectors: np.ndarray,
        counts: np.ndarray | None = None,
        franchises: np.ndarray | None = None,
    ) -> list[tuple[int, float]]:
        """The `k` to show, as `best_of`, mixed as the controls say. Of a longer list the same list is the beginning.

        Args:
            vectors: [n_items, factors], by which anime are alike.
            counts: [n_items], how well each is known; by default, how many of the community have it on their list.
            franchises: [n_items], where no two of one shall come.
        """
        mixes = self.controls.diversity > 0 or self.controls.novelty > 0
        if not mixes and franchises is None:
            return self.best_of(item_ids, scores, k)
        if counts is None:
            counts = np.append(self.anime.members, 0)[self.anime.positions(item_ids)]
        rows, values = self._best_of(item_ids, scores, max(RERANKED, FRANCHISE_SLACK * k))
        shown = reranking.rerank(
            rows[:RERANKED],
            values[:RERANKED],
            k,
            embeddings=vectors,
            franchises=franchises,
            counts=counts,
            diversity=MOST_DIVERSITY * self.controls.diversity,
            novelty=MOST_NOVELTY * self.controls.novelty,
        )
        if len(shown) < k and len(rows) > RERANKED:
            behind = reranking.rerank(rows[RERANKED:], values[RERANKED:], k, embeddings=vectors, franchises=franchises)
            if franchises is not None:
                behind = behind[~np.isin(franchises[behind], franchises[shown])]
            shown = np.concatenate([shown, behind])[:k]
        return list(zip(shown.tolist(), scores[shown].tolist(), strict=True))
