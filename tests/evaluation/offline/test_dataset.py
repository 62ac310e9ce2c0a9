import numpy as np
import pytest

from evaluation.offline.dataset import AnimeFacts, DatasetError, read_folder

ANIME = """anime_id,name,genre,type,episodes,rating,members
20,Naruto,"Action, Comedy",TV,220,7.81,683297
1,Cowboy &amp; Bebop,"Action, Space",TV,26,8.82,486824
7,Unseen,,,Unknown,,12
"""
RATING = "user_id,anime_id,rating\n3,20,8\n3,1,-1\n5,1,10\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "anime.csv").write_text(ANIME)
    (tmp_path / "rating.csv").write_text(RATING)
    return tmp_path


def test_reads_what_the_files_hold(folder):
    dataset = read_folder(folder)
    anime = dataset.anime
    assert anime.ids.tolist() == [1, 7, 20]
    assert anime.names == ("Cowboy & Bebop", "Unseen", "Naruto")
    np.testing.assert_array_equal(anime.rating, [8.82, np.nan, 7.81])
    assert anime.members.tolist() == [486824, 12, 683297]
    assert anime.genre_names == ("Action", "Comedy", "Space")
    assert anime.genres.tolist() == [[True, False, True], [False] * 3, [True, True, False]]
    assert dataset.name == folder.name
    ratings = dataset.ratings
    assert ratings.user_ids.tolist() == [3, 5]
    assert ratings.item_ids[ratings.items].tolist() == [1, 20, 1]
    assert ratings.ratings.tolist() == [-1, 8, 10]


def test_facts_of_some_anime_come_in_their_order_and_say_nothing_of_unknown_ones(folder):
    some = read_folder(folder).anime.of(np.array([20, 999, 1]))
    assert some.names == ("Naruto", "anime 999", "Cowboy & Bebop")
    np.testing.assert_array_equal(some.rating, [7.81, np.nan, 8.82])
    assert some.members.tolist() == [683297, 0, 486824]
    assert some.genres.sum(axis=1).tolist() == [2, 0, 2]


def test_facts_of_an_empty_catalogue_are_unknown():
    empty = AnimeFacts.from_rows(np.array([]), [], np.array([]), np.array([]), []).of(np.array([4]))
    assert empty.names == ("anime 4",)
    assert np.isnan(empty.rating).all()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("anime.csv", None, r"anime\.csv does not exist"),
        ("rating.csv", "user_id,anime_id\n1,2\n", r"rating\.csv has no column rating"),
        ("rating.csv", "user_id,anime_id,rating\n1,2,8\n1,3,8.x\n", r"rating\.csv, line 3, column rating: '8\.x'"),
        ("rating.csv", "user_id,anime_id,rating\n1,2,8\n1,3,11\n", r"rating\.csv, line 3, column rating: 11 is not"),
        ("rating.csv", "user_id,anime_id,rating\n1,2,8\n1,,7\n", r"rating\.csv, line 3, column anime_id: ''"),
        ("rating.csv", "user_id,anime_id,rating\n1,2,8\n1,2,7\n", r"rating\.csv: user 1 has two ratings"),
        ("rating.csv", "", r"rating\.csv cannot be read as CSV"),
        ("anime.csv", ANIME.replace("7.81", "good"), r"anime\.csv, line 2, column rating: 'good'"),
    ],
)
def test_what_cannot_be_used_is_named(folder, file, text, message):
    if text is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_folder(folder)


def test_the_real_files_hold_what_their_readme_says(shared_data):
    dataset = read_folder(shared_data)
    assert len(dataset.anime.ids) == 12_294
    assert len(dataset.ratings) == 558_621
    assert (dataset.ratings.n_users, dataset.ratings.n_items) == (5_402, 7_510)
    assert "Gintama'" in dataset.anime.names
