import numpy as np
import pytest

from recommender.engine.history.content import ItemContent, content_kernel, title_similarity

TITLES = (
    "Naruto",
    "Naruto: Shippuuden",
    "Naruto: Shippuuden Movie 1",
    "Gintama&#039;",
    "Gintama Movie",
    "Death Note",
    "Movie Star",
    "2001",
)
CONTENT = ItemContent(
    np.arange(8),
    TITLES,
    (("Action",), ("Action",), ("Action",), ("Comedy",), ("Comedy",), ("Drama",), (), ()),
    ("TV", "TV", "Movie", "TV", "Movie", "TV", "", "Movie"),
)


def test_titles_without_a_common_word_are_not_alike():
    similarity = title_similarity(("Akira", "Monster", "12"))
    assert similarity.shape == (3, 3)
    assert similarity.nnz == 0


def test_the_kernel_counts_title_then_genre_then_type():
    similarity = title_similarity(TITLES)
    kernel = content_kernel(CONTENT, similarity, np.arange(8))
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-6)
    assert np.linalg.eigvalsh(kernel).min() > -1e-5
    assert kernel[0, 1] > kernel[0, 3] > kernel[0, 2 + 4]
    np.testing.assert_array_equal(content_kernel(CONTENT, similarity, np.array([5, 1])), kernel[:, [5, 1]])


def test_content_must_be_of_one_length_and_sorted():
    with pytest.raises(ValueError, match="titles has 1 entries for 2 items"):
        ItemContent(np.array([1, 2]), ("a",), ((), ()), ("", ""))
    with pytest.raises(ValueError, match="sorted"):
        ItemContent(np.array([2, 1]), ("a", "b"), ((), ()), ("", ""))
