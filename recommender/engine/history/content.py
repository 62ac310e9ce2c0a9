"""What is known of an anime before anybody rated it, and how alike two anime are by it. Workers only: scikit-learn."""

import html
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

WORD = r"[^\W\d_]{2,}"
#: Below this a likeness of titles is chance, and storing it costs memory.
LEAST_SIMILARITY = 0.01


@dataclass(frozen=True)
class ItemContent:
    """The catalogue, rated or not.

    Attributes:
        item_ids: `[n_items]` int64, sorted.
        titles: `n_items` names; HTML entities are understood.
        genres: `n_items` tuples of genre names, empty where unknown.
        types: `n_items` names of types ("TV", "Movie"), "" where unknown.
    """

    item_ids: NDArray[np.int64]
    titles: tuple[str, ...]
    genres: tuple[tuple[str, ...], ...]
    types: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.item_ids)
        for name in ("titles", "genres", "types"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"{name} has {len(getattr(self, name))} entries for {n} items")
        if (np.diff(self.item_ids) <= 0).any():
            raise ValueError("item_ids must be sorted, each once")


def title_similarity(titles: tuple[str, ...]) -> sparse.csr_matrix:
    """Squared cosine of the titles' words, weighted by how rare they are: sparse `[n_items, n_items]` float32.

    Squaring keeps sequels, which share rare words, and lets go of titles that share a common one. This likeness only
    helps the training where ratings are few; whether two titles are of one franchise is for `titles` to say.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    cleaned = [html.unescape(title) for title in titles]
    # A word of one title alone links nothing, so it must not lengthen the vector either: "Naruto" stays near
    # "Naruto: Shippuuden".
    vectoriser = TfidfVectorizer(token_pattern=WORD, min_df=2, sublinear_tf=True, dtype=np.float32)
    try:
        words = vectoriser.fit_transform(cleaned)
    except ValueError:  # no word is in two titles
        return sparse.csr_matrix((len(titles), len(titles)), dtype=np.float32)
    similarity = (words @ words.T).power(2).tocsr()
    similarity.data[similarity.data < LEAST_SIMILARITY] = 0
    similarity.eliminate_zeros()
    return similarity


def content_kernel(content: ItemContent, similarity: sparse.csr_matrix, rows: NDArray[Any]) -> NDArray[np.float32]:
    """How alike items are by title, genres and type `[n_items, len(rows)]`, positive semi-definite over `rows`.

    Args:
        similarity: from `title_similarity`.
        rows: indices of the items to compare with.
    """
    genres = _indicators(content.genres)
    shown = np.maximum(np.asarray(genres.sum(axis=0)).ravel(), 1)
    genres = genres @ sparse.diags(np.log1p(genres.shape[0] / shown).astype(np.float32))
    lengths = np.sqrt(np.asarray(genres.multiply(genres).sum(axis=1)).ravel())
    genres = sparse.diags((1 / np.maximum(lengths, 1e-9)).astype(np.float32)) @ genres
    types = _indicators(tuple((name,) if name else () for name in content.types))
    same_type = np.asarray((types @ types[rows].T).todense(), dtype=np.float32)
    like_genres: NDArray[np.float32] = np.asarray((genres @ genres[rows].T).todense(), dtype=np.float32)
    # In place: each of these has the size of the result.
    like_genres *= GENRE_WEIGHT
    like_genres += TYPE_WEIGHT
    like_genres *= same_type
    pairs = similarity[:, rows].tocoo()
    like_genres[pairs.row, pairs.col] += pairs.data
    return like_genres


#: Weights of the content kernel beside 1 for titles, chosen with anime held out of training (docs/quality.md).
GENRE_WEIGHT, TYPE_WEIGHT = 0.3, 0.1


def _indicators(names: tuple[tuple[str, ...], ...]) -> sparse.csr_matrix:
    """`[n_items, n_names]`: 1 where an item has a name."""
    columns = {name: column for column, name in enumerate(sorted({name for row in names for name in row}))}
    entries = [(row, columns[name]) for row, of_row in enumerate(names) for name in of_row]
    rows, cols = np.array(entries, dtype=np.int64).reshape(-1, 2).T
    ones = np.ones(len(entries), dtype=np.float32)
    return sparse.csr_matrix((ones, (rows, cols)), shape=(len(names), max(len(columns), 1)))
