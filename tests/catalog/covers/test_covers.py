"""Covers are the same every time, fit their sheet, and let nothing through that was typed."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.covers.art import CHOICES, draw
from catalog.covers.generated import BAND_LENGTH, BAND_WIDTH, MARGIN, SIZES, cover, fit_title
from catalog.covers.shapes import WIDTH

GENRES = sorted(set().union(*(names for names, _, _ in CHOICES)))
SVG = "{http://www.w3.org/2000/svg}"


def make(**changes: object) -> str:
    facts = {"mal_id": 6, "name": "Trigun", "japanese_name": "トライガン", "genres": ["Sci-Fi"], "note": "TV · 1998"}
    return cover(**{**facts, **changes})  # type: ignore[arg-type]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_it_says_what_it_is_of() -> None:
    assert texts(make()) == ["トライガン", "Trigun", "TV · 1998"]


def test_the_same_anime_has_the_same_cover_whatever_the_order_of_its_genres() -> None:
    assert make(genres=["Sci-Fi", "Action", "Comedy"]) == make(genres={"Comedy", "Sci-Fi", "Action"})


def test_covers_of_one_genre_differ() -> None:
    assert len({make(mal_id=number, name="x") for number in range(40)}) == 40


def test_a_japanese_title_in_latin_letters_is_not_said_twice() -> None:
    assert texts(make(japanese_name="TRIGUN")) == ["Trigun", "TV · 1998"]


@pytest.mark.parametrize("genre", [*GENRES, "", "A genre of next year"])
def test_every_genre_has_a_picture_that_is_well_formed(genre: str) -> None:
    for seed in range(12):
        _, picture = draw([genre], seed)
        drawn = ElementTree.fromstring(f"<svg>{picture}</svg>")
        assert len(drawn) > 3


@given(name=st.text(min_size=1, max_size=300), japanese=st.text(max_size=100), note=st.text(max_size=20))
def test_whatever_was_typed_stays_text(name: str, japanese: str, note: str) -> None:
    svg = make(name=name, japanese_name=japanese, note=note)
    allowed = {f"{SVG}{tag}" for tag in ("svg", "g", "text", "rect", "path", "circle", "polygon", "ellipse")}
    assert {element.tag for element in ElementTree.fromstring(svg).iter()} <= allowed


def test_markup_in_a_title_is_shown_as_it_is() -> None:
    svg = make(name='<script>alert(1)</script> & "quotes"')
    assert "<script" not in svg
    assert "".join(texts(svg)).count("<script>alert(1)") == 1


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=300))
def test_a_title_fits_its_lines(title: str) -> None:
    size, lines = fit_title(title, WIDTH - 2 * MARGIN)
    most = dict(SIZES)[size]
    assert 1 <= len(lines) <= most


def test_titles_are_set_as_large_as_they_fit_and_evenly() -> None:
    assert fit_title("Naruto", 260) == (33, ["Naruto"])
    size, lines = fit_title("Fullmetal Alchemist: Brotherhood", 260)
    assert (size, lines) == (28, ["Fullmetal", "Alchemist:", "Brotherhood"])


def test_a_title_too_long_for_any_size_is_cut_and_says_so() -> None:
    size, lines = fit_title("Very long title of an anime " * 20, 260)
    assert (size, len(lines)) == SIZES[-1]
    assert lines[-1].endswith("…")
    _, [line] = fit_title("Supercalifragilisticexpialidocious" * 4, 260)
    assert line.endswith("…")


def test_a_long_japanese_title_stays_on_its_band() -> None:
    root = ElementTree.fromstring(make(japanese_name="長" * 80))
    [band] = [rect for rect in root.iter(f"{SVG}rect") if rect.get("width") == str(BAND_WIDTH)]
    assert float(band.get("height", "")) <= BAND_LENGTH + 30
    assert "…" in texts(make(japanese_name="長" * 80))[0]
