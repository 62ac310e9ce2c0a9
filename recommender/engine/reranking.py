"""From the best-scored candidates to the list that is shown: diverse, less obvious, and one anime a franchise."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def rerank(
    candidates: NDArray[np.integer[Any]],
    scores: NDArray[Any],
    k: int,
    *,
    embeddings: NDArray[np.floating[Any]],
    franchises: NDArray[Any] | None = None,
    counts: NDArray[Any] | None = None,
    diversity: float = 0.0,
    novelty: float = 0.0,
) -> NDArray[np.int64]:
    """The up to `k` candidates to show, best first, chosen one by one (maximal marginal relevance).

    Each step takes the candidate with the highest `(1 - diversity) * relevance - diversity * likeness`, where likeness
    is the highest cosine to what was taken before, and relevance is
    `(1 - novelty) * scaled score + novelty * scaled self-information`; both are scaled to 0..1 over the candidates.

    Args:
        candidates: `[n]` item rows.
        scores: `[n]`, higher is better.
        embeddings: `[n_items, factors]`.
        franchises: `[n_items]`; where given, no two of the list share a number. The list may then be shorter than k.
        counts: `[n_items]` ratings of each item; needed for `novelty`.
        diversity, novelty: 0 (off) to 1.

    Raises:
        ValueError: a control out of range, or novelty without counts.
    """
    for name, value in (("diversity", diversity), ("novelty", novelty)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be from 0 to 1, not {value!r}")
    if novelty and counts is None:
        raise ValueError("novelty needs the counts of ratings")
    candidates = np.asarray(candidates, dtype=np.int64)
    relevance = _scaled(np.asarray(scores, dtype=np.float64))
    if novelty and counts is not None:
        relevance = (1 - novelty) * relevance + novelty * _scaled(-np.log2(np.maximum(counts[candidates], 1)))
    if not diversity:
        return _by_relevance(candidates, relevance, k, franchises)
    vectors = np.asarray(embeddings[candidates], dtype=np.float32)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    likeness = np.zeros(len(candidates), dtype=np.float32)
    is_left = np.ones(len(candidates), dtype=bool)
    taken: list[int] = []
    while len(taken) < k and is_left.any():
        worth = (1 - diversity) * relevance - diversity * likeness
        best = int(np.argmax(np.where(is_left, worth, -np.inf)))
        taken.append(int(candidates[best]))
        is_left[best] = False
        if franchises is not None:
            is_left &= franchises[candidates] != franchises[candidates[best]]
        likeness = np.maximum(likeness, vectors @ vectors[best])
    return np.array(taken, dtype=np.int64)


def _by_relevance(
    candidates: NDArray[np.integer[Any]], relevance: NDArray[np.float64], k: int, franchises: NDArray[Any] | None
) -> NDArray[np.int64]:
    """What the steps of `rerank` come to where no likeness counts: the most relevant, the first of each franchise."""
    ordered = candidates[np.argsort(-relevance, kind="stable")]
    if franchises is not None:
        _, first = np.unique(franchises[ordered], return_index=True)
        ordered = ordered[np.sort(first)]
    return ordered[:k].astype(np.int64)


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`values` moved to 0..1; all 0 where they are alike."""
    if not len(values):
        return values
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
