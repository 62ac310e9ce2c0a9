"""`manage.py load_dataset` on the real data set, on small files made here, and on files that are broken on purpose."""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from catalog.datasets import source
from catalog.models import Anime, Dataset, Genre, Member

pytestmark = pytest.mark.django_db(transaction=True)

ANIME = (
    "anime_id,name,genre,type,episodes,rating,members\n"
    '1,Cowboy Bebop,"Action, Sci-Fi",TV,26,8.82,486824\n'
    "2,Gintama&#039;,Comedy,TV,Unknown,9.16,151266\n"
    "3,Quiet One,,,,,0\n"
    '4,For Adults,"Comedy, Hentai",OVA,2,6.1,900\n'
)
RATINGS = "user_id,anime_id,rating\n7,1,10\n7,2,-1\n9,2,8\n9,4,6\n"
METADATA = (
    "anime_id,japanese_title,aired_from,aired_to,source,studios\n"
    "1,カウボーイビバップ,1998-04-03,1999-04-24,Original,Sunrise|Bandai Visual\n"
    "2,,,,,\n"
    "3,,2001-05-05,2000-01-01,,\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small data set without metadata.csv."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "anime.csv").write_text(ANIME)
    (tmp_path / "data" / "rating.csv").write_text(RATINGS)
    return tmp_path / "data"


def load(*arguments: object) -> str:
    out = io.StringIO()
    call_command("load_dataset", *map(str, arguments), stdout=out)
    return out.getvalue()


def refused(*arguments: object) -> str:
    """What the command says when it refuses; nothing may have changed."""
    before = state()
    with pytest.raises(CommandError) as error:
        load(*arguments)
    assert state() == before
    return str(error.value)


def histories() -> dict[int, dict[int, int]]:
    return {row.external_id: dict(zip(row.anime_ids, row.scores, strict=True)) for row in Member.objects.all()}


def state() -> dict[str, list[tuple[object, ...]]]:
    """Every row of the import's tables, with the transaction that wrote it."""
    tables = ("catalog_anime", "catalog_genre", "catalog_anime_genres", "catalog_member", "catalog_dataset")
    with connection.cursor() as cursor:
        found = {}
        for table in tables:
            cursor.execute(f"SELECT xmin::text, t.* FROM {table} t ORDER BY 2")
            found[table] = cursor.fetchall()
    return found


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


class TestRealData:
    def test_counts_are_those_of_the_data_sets_own_description(self, shared_data: Path) -> None:
        report = load(shared_data)
        assert "12,294 anime and 5,402 members with 558,621 interactions (450,113 ratings) of 7,510 anime" in report
        dataset = Dataset.objects.get()
        assert dataset.name == "anime-recommendations-database"
        assert not dataset.is_simulated
        counts = (dataset.anime_count, dataset.member_count, dataset.interaction_count, dataset.rating_count)
        assert counts == (12_294, 5_402, 558_621, 450_113)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*), count(DISTINCT anime), count(*) FILTER (WHERE score <> -1)"
                " FROM catalog_member, unnest(anime_ids, scores) AS one (anime, score)"
            )
            assert cursor.fetchone() == (558_621, 7_510, 450_113)
        assert (Anime.objects.count(), Member.objects.count()) == (12_294, 5_402)
        assert Anime.objects.filter(is_adult=True).count() == 1_141
        assert Anime.objects.filter(genres__name="Hentai").count() == 1_141
        assert not Anime.objects.filter(name__contains="&#").exists()

        self._check_against_the_files(shared_data)
        before = state()
        report = load(shared_data, "--force")
        assert "0 anime rows and 0 members were added or changed" in report
        assert state() == before

    def _check_against_the_files(self, shared_data: Path) -> None:
        expected: dict[int, dict[int, int]] = {}
        for row in rows_of(shared_data / "rating.csv"):
            expected.setdefault(int(row["user_id"]), {})[int(row["anime_id"])] = int(row["rating"])
        assert histories() == expected
        metadata = {int(row["anime_id"]): row for row in rows_of(shared_data / "metadata.csv")}
        for anime in Anime.objects.filter(pk__in=[1, 5114, 9253, 28977]):
            facts = metadata[anime.pk]
            assert anime.japanese_name == facts["japanese_title"]
            assert anime.aired_from == (date.fromisoformat(facts["aired_from"]) if facts["aired_from"] else None)
            assert "|".join(anime.studios) == facts["studios"]


class TestContents:
    def test_what_the_files_say_is_what_the_catalogue_holds(self, folder: Path) -> None:
        load(folder)
        bebop, gintama, quiet, adult = Anime.objects.order_by("pk")
        assert (bebop.name, bebop.type, bebop.episodes, bebop.score, bebop.members) == (
            *("Cowboy Bebop", "TV"),
            *(26, 8.82, 486824),
        )
        assert {genre.name for genre in bebop.genres.all()} == {"Action", "Sci-Fi"}
        assert (gintama.name, gintama.episodes) == ("Gintama'", None)
        assert (quiet.type, quiet.episodes, quiet.score, quiet.members) == ("", None, None, 0)
        assert not quiet.genres.exists()
        assert [one.is_adult for one in (bebop, gintama, quiet, adult)] == [False, False, False, True]
        assert histories() == {7: {1: 10, 2: -1}, 9: {2: 8, 4: 6}}

    def test_metadata_adds_what_it_knows(self, folder: Path) -> None:
        (folder / "metadata.csv").write_text(METADATA)
        load(folder)
        bebop = Anime.objects.get(pk=1)
        assert bebop.japanese_name == "カウボーイビバップ"
        assert (bebop.aired_from, bebop.aired_to) == (date(1998, 4, 3), date(1999, 4, 24))
        assert (bebop.source, bebop.studios) == ("Original", ["Sunrise", "Bandai Visual"])
        # An end before the start, which the source has for some titles, is no end.
        odd = Anime.objects.get(pk=3)
        assert (odd.aired_from, odd.aired_to) == (date(2001, 5, 5), None)

    def test_columns_in_another_order_byte_order_mark_and_windows_line_ends(self, folder: Path) -> None:
        load(folder, "--name", "plain")
        plain = histories()
        reordered = "\ufeffrating,user_id,anime_id\r\n10,7,1\r\n-1,7,2\r\n8,9,2\r\n6,9,4"
        (folder / "rating.csv").write_bytes(reordered.encode())
        (folder / "anime.csv").write_bytes(("\ufeff" + ANIME.replace("\n", "\r\n")).encode())
        report = load(folder, "--name", "plain", "--force")
        assert "0 anime rows and 0 members were added or changed" in report
        assert histories() == plain

    def test_quoted_numbers_and_an_extra_column(self, folder: Path) -> None:
        (folder / "rating.csv").write_text('"user_id","anime_id","note","rating"\n"7","1","a, b","10"\n')
        load(folder)
        assert histories() == {7: {1: 10}}

    def test_users_that_are_not_together_in_the_file(self, folder: Path) -> None:
        (folder / "rating.csv").write_text("user_id,anime_id,rating\n9,4,6\n7,2,-1\n9,2,8\n7,1,10\n")
        load(folder)
        assert histories() == {7: {1: 10, 2: -1}, 9: {2: 8, 4: 6}}

    def test_scattered_users_in_many_blocks(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first members are on their way to the database when the file shows that it is not in their order."""
        monkeypatch.setattr("catalog.datasets.ratings.BLOCK_BYTES", 64)
        rows = [(user, anime, 1 + (user + anime) % 10) for anime in (3, 1, 4) for user in range(1, 100)]
        rows += [(5, 1, 2), (6, 1, 8), (7, 77, 5)]  # another opinion, the same again, and an unknown anime
        text = "".join(f"{user},{anime},{score}\n" for user, anime, score in rows)
        (folder / "rating.csv").write_text("user_id,anime_id,rating\n" + text)
        expected = {user: {anime: 1 + (user + anime) % 10 for anime in (1, 3, 4)} for user in range(1, 100)}
        expected[5][1] = 2
        report = load(folder)
        assert histories() == expected
        assert "4 anime and 99 members with 297 interactions (297 ratings) of 3 anime" in report
        assert "1 interactions with anime that" in report
        assert "1 interactions came again with the same rating" in report
        assert "1 interactions came again with another rating" in report
        assert "0 anime rows and 0 members were added or changed" in load(folder, "--force")
        assert histories() == expected

    def test_repeated_ratings_count_once_and_the_last_of_two_opinions_counts(self, folder: Path) -> None:
        (folder / "rating.csv").write_text(RATINGS + "7,1,10\n9,2,3\n9,2,5\n")
        report = load(folder)
        assert "1 interactions came again with the same rating" in report
        assert "2 interactions came again with another rating" in report
        assert histories() == {7: {1: 10, 2: -1}, 9: {2: 5, 4: 6}}

    def test_ratings_of_unknown_anime_are_left_out_and_counted(self, folder: Path) -> None:
        (folder / "rating.csv").write_text(RATINGS + "7,99,5\n8,98,5\n")
        report = load(folder)
        assert "2 interactions with anime that anime.csv does not have" in report
        assert histories() == {7: {1: 10, 2: -1}, 9: {2: 8, 4: 6}}

    def test_genres_that_differ_only_in_signs_each_have_a_slug(self, folder: Path) -> None:
        (folder / "anime.csv").write_text(ANIME + '5,Five,"Sci Fi, 日常, 学園, SCI-FI",TV,1,5,5\n')
        load(folder)
        assert set(Anime.objects.get(pk=5).genres.values_list("name", flat=True)) == {
            "Sci Fi",
            "日常",
            "学園",
            "SCI-FI",
        }
        slugs = list(Genre.objects.values_list("slug", flat=True))
        assert all(slugs)
        assert len(set(slugs)) == len(slugs)

    def test_a_file_of_many_blocks(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("catalog.datasets.ratings.BLOCK_BYTES", 64)
        expected = {user: {1 + user % 4: 1 + user % 10, 1 + (user + 1) % 4: -1} for user in range(1, 200)}
        rows = [f"{user},{anime},{score}\n" for user, one in expected.items() for anime, score in one.items()]
        (folder / "rating.csv").write_text("user_id,anime_id,rating\n" + "".join(rows))
        load(folder)
        assert histories() == expected


class TestAgain:
    def test_the_same_files_are_recognised(self, folder: Path) -> None:
        load(folder)
        before = state()
        assert "is loaded already" in load(folder)
        assert state() == before

    def test_forced_the_same_files_change_nothing(self, folder: Path) -> None:
        (folder / "metadata.csv").write_text(METADATA)
        load(folder)
        before = state()
        assert "0 anime rows and 0 members were added or changed" in load(folder, "--force")
        assert state() == before

    def test_only_what_differs_is_written(self, folder: Path) -> None:
        load(folder)
        before = state()
        then = dict(Anime.objects.values_list("pk", "updated_at"))
        (folder / "anime.csv").write_text(ANIME.replace("8.82", "8.83").replace(",Comedy,TV", ',"Comedy, Parody",TV'))
        (folder / "rating.csv").write_text(RATINGS.replace("9,4,6", "9,4,7"))
        assert "2 anime rows and 1 members were added or changed" in load(folder)
        now = dict(Anime.objects.values_list("pk", "updated_at"))
        assert [pk for pk in then if now[pk] > then[pk]] == [1, 2]
        assert Anime.objects.get(pk=1).score == 8.83
        assert {genre.name for genre in Anime.objects.get(pk=2).genres.all()} == {"Comedy", "Parody"}
        assert histories() == {7: {1: 10, 2: -1}, 9: {2: 8, 4: 7}}
        unchanged = [row for row in before["catalog_member"] if row in state()["catalog_member"]]
        assert len(unchanged) == 1

    def test_members_that_left_the_files_leave_the_data_set(self, folder: Path) -> None:
        load(folder)
        (folder / "rating.csv").write_text("user_id,anime_id,rating\n7,1,10\n7,2,-1\n")
        load(folder, "--replace")
        assert histories() == {7: {1: 10, 2: -1}}
        assert Dataset.objects.get().member_count == 1

    def test_two_data_sets_do_not_mix_their_members(self, folder: Path) -> None:
        load(folder, "--name", "one")
        (folder / "rating.csv").write_text("user_id,anime_id,rating\n7,4,3\n")
        load(folder, "--name", "two")
        found = {(row.dataset.name, row.external_id): row.anime_ids for row in Member.objects.select_related("dataset")}
        assert found == {("one", 7): [1, 2], ("one", 9): [2, 4], ("two", 7): [4]}

    def test_with_nothing_named_what_is_loaded_stays(self, folder: Path) -> None:
        load(folder)
        before = state()
        assert "Data set anime-recommendations-database is loaded: 4 interactions." in load()
        assert state() == before


class TestBadLines:
    @pytest.mark.parametrize(
        ("line", "column", "reason"),
        [
            ("7,1,11", "rating", "'11' is not 1 to 10, or -1"),
            ("7,1,0", "rating", "'0' is not"),
            ("7,1,-2", "rating", "'-2' is not"),
            ("7,1,", "rating", "'' is not"),
            ("7,x,5", "anime_id", "'x' is not a whole number"),
            ("7,0,5", "anime_id", "'0' is not a whole number"),
            ("-7,1,5", "user_id", "'-7' is not a whole number"),
            ("99999999999,1,5", "user_id", "'99999999999' is not a whole number"),
            ("1_0,1,5", "user_id", "'1_0' is not a whole number"),
            ("7,1", "anime_id", "2 fields, and the header names 3"),
            ("7,1,5,5", "rating", "4 fields, and the header names 3"),
            ("7,1\0,5", "anime_id", "is not a whole number"),
            ("7,1,\udcff", "rating", "is not 1 to 10"),
            ('7,1,"5', "user_id", "unexpected end of data"),
        ],
    )
    def test_of_rating_csv_are_named(self, folder: Path, line: str, column: str, reason: str) -> None:
        text = RATINGS + line + "\n9,1,5\n"
        (folder / "rating.csv").write_bytes(text.encode(errors="surrogateescape"))
        message = refused(folder)
        assert f"rating.csv, line 6, column {column}: " in message
        assert reason in message
        assert "--skip-bad FILE. Nothing was changed." in message

    @pytest.mark.parametrize(
        ("line", "column", "reason"),
        [
            ("x,Name,,TV,1,5,5", "anime_id", "'x' is not a whole number"),
            (",Name,,TV,1,5,5", "anime_id", "is empty"),
            ("1,Twice,,TV,1,5,5", "anime_id", "1 came before"),
            ("5,,,TV,1,5,5", "name", "is empty"),
            (f"5,{'x' * 301},,TV,1,5,5", "name", "301 characters, and at most 300 fit"),
            (f"5,Name,{'x' * 51},TV,1,5,5", "genre", "51 characters long"),
            ("5,Name,,Opera,1,5,5", "type", "'Opera' is none of TV"),
            ("5,Name,,TV,many,5,5", "episodes", "'many' is not a whole number"),
            ("5,Name,,TV,1,11,5", "rating", "'11' is not a number from 0 to 10"),
            ("5,Name,,TV,1,5,-5", "members", "'-5' is not a whole number"),
            ("5,Name,,TV,1,5", "rating", "6 fields, and the header names 7"),
            ("5,Na\0me,,TV,1,5,5", "name", "NUL byte"),
            ("5,Na\udcffme,,TV,1,5,5", "name", "not UTF-8"),
            (f'5,"{"x" * 200_000}",,TV,1,5,5', "anime_id", "field larger than field limit"),
            ('5,"Name"x,,TV,1,5,5', "anime_id", "expected after"),
        ],
    )
    def test_of_anime_csv_are_named(self, folder: Path, tmp_path: Path, line: str, column: str, reason: str) -> None:
        text = ANIME + line + "\n6,Six,,TV,1,5,5\n"
        (folder / "anime.csv").write_bytes(text.encode(errors="surrogateescape"))
        message = refused(folder)
        assert f"anime.csv, line 6, column {column}: " in message
        assert reason in message
        assert "--skip-bad FILE. Nothing was changed." in message
        load(folder, "--skip-bad", tmp_path / "bad.csv")
        assert list(Anime.objects.order_by("pk").values_list("pk", flat=True)) == [1, 2, 3, 4, 6]
        (bad,) = rows_of(tmp_path / "bad.csv")
        assert (bad["file"], bad["line"], bad["column"]) == ("anime.csv", "6", column)

    def test_of_metadata_csv_are_named(self, folder: Path) -> None:
        (folder / "metadata.csv").write_text(METADATA.replace("1998-04-03", "03.04.98"))
        message = refused(folder)
        assert "metadata.csv, line 2, column aired_from: '03.04.98' is not a date" in message

    def test_are_written_with_reason_and_the_rest_is_loaded(self, folder: Path, tmp_path: Path) -> None:
        (folder / "anime.csv").write_text(ANIME.replace(",26,", ",lots,"))
        (folder / "rating.csv").write_text(RATINGS.replace("9,2,8", "9,2,8.5") + "\n9,1\n")
        report = load(folder, "--skip-bad", tmp_path / "bad.csv")
        assert "3 bad lines" in report
        assert histories() == {7: {2: -1}, 9: {4: 6}}
        assert not Anime.objects.filter(pk=1).exists()
        found = [(row["file"], row["line"], row["column"], row["raw"].strip()) for row in rows_of(tmp_path / "bad.csv")]
        assert found == [
            ("anime.csv", "2", "episodes", '1,Cowboy Bebop,"Action, Sci-Fi",TV,lots,8.82,486824'),
            ("rating.csv", "4", "rating", "9,2,8.5"),
            ("rating.csv", "7", "anime_id", "9,1"),
        ]

    def test_lie_at_the_same_line_in_a_later_block(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("catalog.datasets.ratings.BLOCK_BYTES", 64)
        rows = "".join(f"{user},1,5\n" for user in range(1, 101))
        (folder / "rating.csv").write_text("user_id,anime_id,rating\n" + rows + "5,2,five\n" + rows)
        assert "rating.csv, line 102, column rating: 'five'" in refused(folder)

    def test_a_file_for_them_that_cannot_be_written_stops_the_load(self, folder: Path, tmp_path: Path) -> None:
        assert "cannot be written" in refused(folder, "--skip-bad", tmp_path / "no" / "bad.csv")

    def test_a_line_without_end_is_no_table(self, folder: Path) -> None:
        (folder / "rating.csv").write_bytes(RATINGS.encode() + b"7" * (8 * 2**20))
        assert "rating.csv, line 6, column user_id: more than" in refused(folder)


class TestSources:
    @pytest.mark.parametrize(("name", "column"), [("anime.csv", "members"), ("rating.csv", "rating")])
    def test_a_missing_column_is_named(self, folder: Path, name: str, column: str) -> None:
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace(column, "other", 1))
        message = refused(folder)
        assert f"{name}, line 1: column {column} is missing" in message
        assert "other" in message

    @pytest.mark.parametrize("content", [b"", b"\xff\xfea\0n\0i\0m\0e\0", b"\n\n"])
    @pytest.mark.parametrize("name", ["anime.csv", "rating.csv"])
    def test_a_file_that_is_no_table(self, folder: Path, name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)
        assert f"{name}, line 1: column" in refused(folder)

    def test_a_missing_file_is_named_with_what_was_found(self, folder: Path) -> None:
        (folder / "rating.csv").rename(folder / "ratings.csv")
        message = refused(folder)
        assert "has no rating.csv; it holds anime.csv, ratings.csv" in message

    def test_a_path_that_is_not_there(self, tmp_path: Path) -> None:
        assert "does not exist" in refused(tmp_path / "nowhere")

    def test_a_path_that_is_neither_folder_nor_zip(self, folder: Path) -> None:
        assert "neither a folder nor a zip file" in refused(folder / "anime.csv")

    def test_a_zip_file_with_a_folder_and_other_things_in_it(self, folder: Path, tmp_path: Path) -> None:
        archive = tmp_path / "data.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for name in ("anime.csv", "rating.csv"):
                file.write(folder / name, f"inner/{name}")
                file.writestr(f"__MACOSX/inner/._{name}", b"\0\0")
            file.writestr("../../escape.txt", "not read")
        load(archive)
        assert histories() == {7: {1: 10, 2: -1}, 9: {2: 8, 4: 6}}
        assert not (tmp_path.parent / "escape.txt").exists()
        assert "is loaded already" in load(folder)  # the same contents, wherever they lie

    def test_a_zip_bomb_is_refused(self, folder: Path, tmp_path: Path) -> None:
        archive = tmp_path / "bomb.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            file.write(folder / "anime.csv", "anime.csv")
            with file.open("rating.csv", "w") as member:
                for _ in range(source.MAX_ZIP_RATIO + 50):
                    member.write(bytes(2**20))
        assert "rating.csv" in (message := refused(archive))
        assert "would unpack to" in message

    def test_a_broken_zip_file(self, folder: Path, tmp_path: Path) -> None:
        archive = tmp_path / "data.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for name in ("anime.csv", "rating.csv"):
                file.write(folder / name, name)
        content = bytearray(archive.read_bytes())
        content[60:90] = b"\xff" * 30
        archive.write_bytes(content)
        assert "cannot be read" in refused(archive)

    def test_a_name_that_is_no_name(self, folder: Path) -> None:
        assert "--name 'no name'" in refused(folder, "--name", "no name")
        assert "--name" in refused(folder, "--name", "x" * 51)

    def test_kaggle_without_its_package_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "kagglehub", None)
        assert "pip install kagglehub" in refused("kaggle")
