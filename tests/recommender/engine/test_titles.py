import pytest

from recommender.engine.titles import strict_franchises, wide_franchises

ONE_FRANCHISE = [
    ("Star Road", "Star Road 2nd Season", "Star Road II", "Star Road (2011)", "Star Road Part 2", "Star Road S2"),
    ("Star Road!", "STAR ROAD!!", "Star Road OVA", "Star Road Movie", "Star Road the Movie", "Star Road Specials"),
    ("Star Road", "Star Road Movie 2: The Return", "Star Road OVA: Beach"),
    ("Gintama&#039;", "Gintama°", "Gintama"),
    ("2001", "2001"),
]
DIFFERENT = [
    ("Samurai 7", "Samurai Champloo", "7 Seeds"),
    ("Fullmetal Alchemist", "Fullmetal Alchemist: Brotherhood"),
    ("Kimi no Na wa.", "Kimi no Koto", "Kimi"),
    ("Movie Star", "Movie Night", "Star", "91 Days", "Days (TV)", "Final Fantasy", "Fantasy"),
    ("Tonari no A", "Tonari no B", "A no Tonari"),
    ("2001", "1999", "Season", "OVA"),
]


@pytest.mark.parametrize("titles", ONE_FRANCHISE)
def test_titles_that_differ_by_season_marks_are_of_one_franchise(titles):
    assert set(strict_franchises(titles)) == {0}


@pytest.mark.parametrize("titles", DIFFERENT)
def test_titles_that_differ_by_a_word_are_not(titles):
    assert strict_franchises(titles).tolist() == list(range(len(titles)))


def test_a_word_that_only_one_title_has_counts_as_much_as_one_that_many_have():
    alone = strict_franchises(("Samurai 7", "Samurai Champloo"))
    among = strict_franchises(("Samurai 7", "Samurai Champloo", "Champloo Nights", "Champloo Days"))
    assert len(set(alone)) == 2
    assert len(set(among)) == 4


def members(titles, title):
    found = wide_franchises(titles)
    return {titles[place] for place in found.members[found.numbers[titles.index(title)]]}


def test_the_wide_guess_finds_what_names_a_franchise_wherever_it_does():
    shelf = ("Ninja", "Ninja: Gales", "Ninja SD: Gym", "Son: Ninja the Movie", "The Last: Ninja the Movie", "A Ninja")
    assert members(shelf, "Ninja") == set(shelf[:5])
    assert members(shelf, "Ninja: Gales") == set(shelf[:5])
    assert members(shelf, "A Ninja") == {"A Ninja"}


def test_the_wide_guess_takes_the_shortest_name_of_two_words_that_is_an_animes_own():
    shelf = ("Dragon Pearl", "Dragon Pearl Z", "Dragon Pearl GT: Hero", "Dragon Half", "Giants no Day", "Giants no Eve")
    assert members(shelf, "Dragon Pearl Z") == set(shelf[:3])
    assert members(shelf, "Giants no Day") == {"Giants no Day"}


def test_a_name_of_a_letter_or_two_is_found_only_where_it_is_the_whole_name():
    shelf = ("K", "K: Kings", "K-Off!", "X", "Hunter: X")
    assert members(shelf, "K") == {"K", "K: Kings"}
    assert members(shelf, "X") == {"X"}


def test_no_titles_have_no_franchises():
    assert strict_franchises(()).tolist() == []
    assert wide_franchises(()).numbers.tolist() == []
    without_words = ("!!!", "???", "")
    assert strict_franchises(without_words).tolist() == [0, 1, 2]
    assert wide_franchises(without_words).numbers.tolist() == [0, 1, 2]
