"""Files of ratings and lists: what is written can be read again, and no upload does harm."""

import gzip
import io
import json
import tracemalloc
import zlib

import pytest
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from catalog.models import ADULT_GENRE, ListEntry, ListStatus, Rating, User
from catalog.watchlists import importing, myanimelist, own
from catalog.watchlists.entries import BadRow, Entry, UploadError
from catalog.watchlists.upload import MAX_BYTES
from tests import factories

pytestmark = pytest.mark.django_db

MAL = """<?xml version="1.0" encoding="UTF-8" ?>
<!-- Created by XML Export feature at MyAnimeList.net -->
<myanimelist>
  <myinfo><user_id>1</user_id><user_name>mika</user_name><user_export_type>1</user_export_type></myinfo>
  {}
</myanimelist>
"""


def mal(*entries: tuple[object, object, str]) -> bytes:
    rows = [
        f"<anime><series_animedb_id>{pk}</series_animedb_id><series_title><![CDATA[Title & {pk}]]></series_title>"
        f"<my_score>{score}</my_score><my_status>{status}</my_status><my_comments><![CDATA[]]></my_comments></anime>"
        for pk, score, status in entries
    ]
    return MAL.format("\n".join(rows)).encode()


def read(content: bytes) -> importing.Upload:
    return importing.read(io.BytesIO(content), "list")


def said(user: User) -> tuple[dict[int, int], dict[int, str]]:
    ratings = dict(Rating.objects.filter(user=user).values_list("anime_id", "score"))
    return ratings, dict(ListEntry.objects.filter(user=user).values_list("anime_id", "status"))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
def test_an_export_of_myanimelist_is_read(pack: type[bytes]) -> None:
    file = mal((1, 9, "Completed"), (2, 0, "Plan to Watch"), (3, 0, "On-Hold"), (4, 10, "6"), (5, 3, "Dropped"))
    upload = read(pack(file))
    assert [(e.anime_id, e.score, e.status) for e in upload.entries] == [
        (1, 9, "completed"),
        (2, None, "plan_to_watch"),
        (3, None, "watching"),
        (4, 10, "plan_to_watch"),
        (5, 3, "dropped"),
    ]
    assert upload.entries[0].title == "Title & 1"
    assert not upload.bad


def test_rows_that_are_wrong_are_named_and_the_others_read() -> None:
    upload = read(
        mal(("x", 5, "Completed"), (7, 11, "Completed"), (8, 5, "Burnt"), (9, 0, ""), (1, 7, "Completed"), (1, 8, "2"))
    )
    assert [(e.anime_id, e.score) for e in upload.entries] == [(1, 8)]
    assert [row.place for row in upload.bad] == ["line 5", "line 6", "line 7", "line 8", "line 9"]
    reasons = [row.reason for row in upload.bad]
    assert "“x” is not the MyAnimeList id" in reasons[0]
    assert "“11” is not a score" in reasons[1]
    assert "“Burnt” is not a list" in reasons[2]
    assert "neither a score nor a list" in reasons[3]
    assert "listed twice: line 10" in reasons[4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"<html></html>", "begins with <html>"),
        (b"<myanimelist></myanimelist>", "no anime in the file"),
        (b"<myanimelist><manga></manga></myanimelist>", "manga"),
        (b"<myanimelist>\n<anime>\n</myanimelist>", "Line 3: the XML is broken"),
        (mal((1, 9, "Completed"))[:-20], "broken"),
        (b"\x00\x01\x02", "Line 1"),
        (b"a,b\n1,2\n", "Line 1 must name the columns: anime_id, title, score, status"),
        (b'anime_id,score\n1,"9\n', "quotation marks"),
        (b"anime_id,score\n1,\xff\n", "Line 2 is not UTF-8"),
        (b"{", "Line 1: the JSON is broken"),
        (b"{}", "no list named “anime”"),
        (b"[1, 2]", "no list named “anime”"),
        (b'{"anime": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b"\x1f\x8bnot gzip at all", "damaged"),
        (gzip.compress(mal((1, 9, "Completed")))[:-12], "damaged"),
        (b'<?xml version="1.0" encoding="nonsense"?><myanimelist/>', "encoding|broken"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content: bytes, message: str) -> None:
    with pytest.raises(UploadError, match=message):
        read(content)


ENTITIES = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><myanimelist><anime>&b;</anime></myanimelist>'
EXTERNAL = '<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><myanimelist><anime>&a;</anime></myanimelist>'
REMOTE = '<!DOCTYPE l SYSTEM "http://127.0.0.1:9/x.dtd"><myanimelist></myanimelist>'


@pytest.mark.parametrize("document", [ENTITIES, EXTERNAL, REMOTE], ids=["bomb", "file", "remote"])
def test_entities_are_refused(document: str) -> None:
    with pytest.raises(UploadError, match="entities"):
        read(document.encode())


def gzip_bomb(of: bytes, times: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join([packer.compress(of) for _ in range(times)]) + packer.flush()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"<myanimelist>" + b" " * MAX_BYTES), "holds more than 32 MB"),
        (gzip_bomb(b"<myanimelist>" + b"<a>" * 2**18, 20), "too deep"),
        (gzip_bomb(b"<myanimelist " + b"a" * 2**20, 20), "a tag does not end"),
        (gzip_bomb(b'{"anime": [' + b"[" * 2**16, 1), "cannot be read"),
        (gzip_bomb(b"[" + b"[]," * 2**18, 12), "may hold 6 MB"),
        (gzip_bomb(b"anime_id,score" + b"x" * 2**20, 8), "Line 1 does not end"),
        (gzip_bomb(b"anime_id,score\n" + b"1,2\n" * 60_000, 1), "more than 50000 rows"),
    ],
    ids=["spaces", "depth", "one tag", "brackets", "many lists", "one line", "rows"],
)
def test_no_upload_takes_much_memory(content: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UploadError, match=message):
            read(content)
        assert tracemalloc.get_traced_memory()[1] < 48 * 2**20
    finally:
        tracemalloc.stop()


def test_a_long_comment_is_not_kept(user: User) -> None:
    entry = "<anime><my_comments>{}</my_comments><series_animedb_id>1</series_animedb_id><my_score>5</my_score></anime>"
    upload = read(MAL.format(entry.format("word " * 400_000)).encode())
    assert upload.entries == [Entry("line 5", 1, "", 5, "")]


def test_what_is_exported_is_imported_by_another_account(user: User) -> None:
    shelf = [factories.anime(f'Anime "{i}", & <more>', episodes=i + 1) for i in range(4)]
    factories.rating(user, shelf[0], 9)
    factories.rating(user, shelf[1], 4)
    factories.list_entry(user, shelf[1], ListStatus.DROPPED)
    factories.list_entry(user, shelf[2], ListStatus.PLAN_TO_WATCH)
    factories.list_entry(user, shelf[3], ListStatus.NOT_INTERESTED)
    everything = own.everything(user)
    files = {
        "csv": "".join(own.as_csv(everything)),
        "json": own.as_json(everything, user),
        "xml": "".join(myanimelist.written(everything, username="<mika>")),
    }
    assert json.loads(files["json"])["account"]["email"] == user.email
    assert fromstring(files["xml"]).findtext("myinfo/user_name") == "<mika>"
    for kind, text in files.items():
        other = factories.user()
        done = importing.apply(other, read(text.encode()))
        assert not done.left_out
        ratings, statuses = said(other)
        assert ratings == said(user)[0]
        expected = said(user)[1]
        if kind == "xml":  # no word for what does not interest, and every score is on a list
            expected = {shelf[0].pk: "completed", shelf[1].pk: "dropped", shelf[2].pk: "plan_to_watch"}
        assert statuses == expected
        again = importing.apply(other, read(text.encode()))
        assert (again.writes, len(again.same)) == (0, len(read(text.encode()).entries))


def test_the_report_has_every_row_once(user: User) -> None:
    new, changed, same, adult = (
        factories.anime(genres=(genre,)) for genre in ("Action", "Action", "Action", ADULT_GENRE)
    )
    factories.rating(user, changed, 5)
    factories.rating(user, same, 6)
    factories.list_entry(user, same, ListStatus.COMPLETED)
    upload = read(
        mal(
            (new.pk, 8, "Completed"),
            (changed.pk, 7, "Completed"),
            (same.pk, 0, "Completed"),
            (adult.pk, 7, "Completed"),
            (10**6, 7, "Completed"),
            (1, 99, "Completed"),
        )
    )
    report = importing.report(user, upload)
    assert [c.anime for c in report.new] == [new]
    assert [(c.anime, c.old_score, c.score) for c in report.changed] == [(changed, 5, 7)]
    assert [c.anime for c in report.same] == [same]
    assert [row.place for row in report.left_out] == ["line 10", "line 8", "line 9"]
    assert str(10**6) in report.left_out[2].reason
    assert said(user)[0] == {changed.pk: 5, same.pk: 6}  # a report writes nothing
    importing.apply(user, upload)
    assert said(user)[0] == {new.pk: 8, changed.pk: 7, same.pk: 6}


def test_mine_can_stay(user: User) -> None:
    mine, bare = factories.anime(), factories.anime()
    factories.rating(user, mine, 5)
    upload = read(mal((mine.pk, 9, "Completed"), (bare.pk, 9, "Completed")))
    importing.apply(user, upload, keeps_mine=True)
    assert said(user) == ({mine.pk: 5, bare.pk: 9}, {mine.pk: "completed", bare.pk: "completed"})


def test_rows_of_a_csv_are_counted_as_an_editor_counts_lines() -> None:
    upload = read(b'\xef\xbb\xbfAnime_ID,Title,Score,Status\r\n1,"Two\nlines",9,COMPLETED\r\n2,b\r\n3,c,x,\r\n')
    assert upload.entries == [Entry("line 3", 1, "Two\nlines", 9, "completed")]
    assert [(row.place, type(row)) for row in upload.bad] == [("line 4", BadRow), ("line 5", BadRow)]
    assert "2 fields, and line 1 has 4" in upload.bad[0].reason


def test_rows_of_json_are_counted() -> None:
    rows = [{"anime_id": 1, "score": 7}, 5, {"anime_id": True, "score": 7}, {"anime_id": 2, "status": []}]
    upload = read(json.dumps({"anime": rows}).encode())
    assert [(e.place, e.anime_id, e.score) for e in upload.entries] == [("entry 1", 1, 7)]
    assert [row.place for row in upload.bad] == ["entry 2", "entry 3", "entry 4"]
