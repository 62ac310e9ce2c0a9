"""What people type, with their typos, finds what they mean."""

import csv
import html
from pathlib import Path

import pytest

from catalog import search
from catalog.models import Anime
from catalog.search import Titles, plainly
from tests import factories

#: What is typed, and the ids of which one must be among the first three.
TYPED = [
    ("fullmetal alchmist", {5114, 121}), ("fulmetal alchemist brotherhod", {5114}), ("shingeki no kyojn", {16498}),
    ("shingeki kyojin", {16498}), ("naruto shipuden", {1735}), ("narutp", {20}), ("death not", {1535}),
    ("deth note", {1535}), ("cowboy bepop", {1}), ("cowbow bebop", {1}), ("hunterxhunter", {11061, 136}),
    ("hunter hunter", {11061, 136}), ("one punchman", {30276}), ("onepunch man", {30276}), ("stiens gate", {9253}),
    ("steins;gaet", {9253}), ("code gease", {1575, 2904}), ("code geas hangyaku", {1575, 2904}),
    ("sword art onlin", {11757}), ("sowrd art online", {11757}), ("no game no lif", {19815}), ("toradra", {4224}),
    ("toradora!", {4224}), ("evangelon", {30, 2759, 32, 3784}), ("neon genesis", {30}), ("angel beat", {6547}),
    ("angle beats", {6547}), ("tokio ghoul", {22319}), ("tokyo goul", {22319}), ("elfen leid", {226}),
    ("elfenlied", {226}), ("clanad after story", {4181}), ("mirai niki", {10620}), ("mirai nikki", {10620}),
    ("fairytail", {6702}), ("fairy tale", {6702}), ("bleech", {269}), ("one peice", {21}), ("onepiece", {21}),
    ("gintma", {918}), ("haikyu", {20583}), ("haikyuu", {20583}), ("durarara", {6746}), ("fate zero", {10087}),
    ("fatezero", {10087}), ("sen to chihiro", {199}), ("mononoke hime", {164}), ("monoke hime", {164}),
    ("kimi no nawa", {32281}), ("君の名は", {32281}), ("psycho pas", {13601}), ("trigan", {6}),
    ("samurai chanploo", {205}), ("dragonball z", {813}), ("pokmon", {527}), ("ouran koko host", {853}),
    ("nichijo", {10165}), ("hyoka", {12189}),
]  # fmt: skip


@pytest.fixture(scope="module")
def titles(shared_data: Path) -> Titles:
    def read(name: str) -> list[dict[str, str]]:
        with (shared_data / name).open(newline="") as file:
            return list(csv.DictReader(file))

    japanese = {row["anime_id"]: row["japanese_title"] for row in read("metadata.csv")}
    return Titles.of(
        [
            (int(row["anime_id"]), html.unescape(row["name"]), japanese.get(row["anime_id"], ""), int(row["members"]))
            for row in read("anime.csv")
        ]
    )


@pytest.mark.parametrize(("typed", "meant"), TYPED)
def test_the_right_anime_is_among_the_first_three(titles: Titles, typed: str, meant: set[int]) -> None:
    assert meant & set(titles.matches(plainly(typed))[:3])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Gintama&#039; ", "gintama 039"),
        ("FATE/Zero", "fate zero"),
        ("Pokémon", "pokemon"),
        ("ＡＢＣ　ﾎﾟｹﾓﾝ", "abc ポケモン"),
        ("ガンダム", "ガンダム"),
        ("a\0b", "a b"),
        ("?!", ""),
    ],
)
def test_titles_are_spelled_plainly(text: str, plain: str) -> None:
    assert plainly(text) == plain


@pytest.mark.django_db
def test_everything_that_matches_is_found_and_given_in_slices() -> None:
    anime = [factories.anime(f"Star {i:03}", members=1000 - i) for i in range(350)]
    found = search.BestFirst("star", Anime.objects.all())
    assert len(found) == 350
    assert found[0] == anime[0]
    assert found[340:] == anime[340:]
    assert found[400:] == []


@pytest.mark.django_db
def test_what_the_catalogue_says_now_is_found_and_only_what_may_be_seen() -> None:
    assert list(search.BestFirst("haibane", Anime.objects.all())) == []
    factories.anime("Haibane Renmei", mal_id=387, japanese_name="灰羽連盟")
    adult = factories.anime("Haibane after dark", genres=("Hentai",))
    visible = Anime.objects.filter(is_adult=False)
    assert [anime.pk for anime in search.BestFirst("haibane", visible)] == [387]
    assert [anime.pk for anime in search.BestFirst("羽連", visible)] == [387]
    assert adult in search.BestFirst("haibane", Anime.objects.all())


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query", ["", "   ", "%_'\"\\", "\0", "a" * 100_000, "💥" * 500, "\ufdfa" * 100, "' OR 1=1 --"]
)
def test_hostile_queries_find_nothing_and_break_nothing(query: str) -> None:
    factories.anime("Trigun")
    assert list(search.BestFirst(query, Anime.objects.all())) == []


@pytest.mark.django_db
def test_a_query_is_cut_after_it_is_spelled_plainly_too() -> None:
    phrases = "\ufdfa" * 10  # each stands for eighteen letters
    spelled = factories.anime(plainly(phrases)[: search.MAX_QUERY])
    assert list(search.BestFirst(phrases + "x" * 80, Anime.objects.all())) == [spelled]


def test_few_titles_are_compared_letter_by_letter_and_the_best_known_are_among_them() -> None:
    crowd = [(number, f"Trigun {number}", "", 10) for number in range(2, search.MAX_COMPARED + 100)]
    titles = Titles.of([*crowd, (1, "Trigun", "", 1_000_000)])
    assert len(titles._sharing_pairs("tragun")) == search.MAX_COMPARED
    assert titles.matches("tragun")[0] == 1


@pytest.mark.parametrize("query", ["z", "zz", "鋼", "ガンダム"])
def test_what_shares_no_letters_with_any_title_is_not_found(query: str) -> None:
    assert Titles.of([(1, "Trigun", "トライガン", 5)]).matches(query) == []
    assert Titles.of([]).matches(query) == []


@pytest.mark.django_db
def test_a_search_costs_three_queries(django_assert_num_queries) -> None:
    for number in range(20):
        factories.anime(f"Space {number}")
    list(search.BestFirst("space", Anime.objects.all()))
    with django_assert_num_queries(3):
        found = search.BestFirst("space", Anime.objects.all())
        assert len(found) == len(list(found)) == 20
