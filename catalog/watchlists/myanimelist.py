"""MyAnimeList's XML export, read and written."""

from collections.abc import Callable, Iterable, Iterator
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import DefusedXMLParser  # type: ignore[import-untyped]
from django.utils.translation import gettext as _

from catalog.models import ListStatus
from catalog.watchlists.entries import BadRow, Entry, UploadError, checked
from catalog.watchlists.own import Said

#: Their lists by the names and by the numbers that their exports use. Ours has no list for what is paused.
STATUSES = {
    "watching": ListStatus.WATCHING,
    "1": ListStatus.WATCHING,
    "completed": ListStatus.COMPLETED,
    "2": ListStatus.COMPLETED,
    "on-hold": ListStatus.WATCHING,
    "onhold": ListStatus.WATCHING,
    "3": ListStatus.WATCHING,
    "dropped": ListStatus.DROPPED,
    "4": ListStatus.DROPPED,
    "plan to watch": ListStatus.PLAN_TO_WATCH,
    "6": ListStatus.PLAN_TO_WATCH,
}
THEIR_STATUSES = {
    ListStatus.WATCHING: "Watching",
    ListStatus.COMPLETED: "Completed",
    ListStatus.DROPPED: "Dropped",
    ListStatus.PLAN_TO_WATCH: "Plan to Watch",
}
FIELDS = {"series_animedb_id", "series_title", "my_score", "my_status"}
MAX_DEPTH = 10
#: Of one field that is read; comments and tags are not.
MAX_TEXT = 500
#: The parser holds an unfinished tag in memory; no true one is longer than this.
MAX_TAG = 256 * 1024


def read(chunks: Iterable[bytes]) -> Iterator[Entry | BadRow]:
    """Each anime of the export, as the file goes by.

    Raises:
        UploadError: not well-formed, not such an export, or built to harm (entities, depth, endless tags).
    """
    target = _Target()
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    expat = parser.parser
    target.line = lambda: expat.CurrentLineNumber
    fed = 0
    try:
        for chunk in chunks:
            parser.feed(chunk)
            fed += len(chunk)
            if fed - max(expat.CurrentByteIndex, 0) > MAX_TAG:
                raise UploadError(_("Line %(line)s: a tag does not end.") % {"line": expat.CurrentLineNumber})
            yield from target.taken()
        parser.close()
    except ParseError as error:
        line, _column = error.position
        raise UploadError(
            _("Line %(line)s: the XML is broken there. Export the list again.") % {"line": line}
        ) from None
    except DefusedXmlException:
        raise UploadError(
            _("The file defines entities, which no export of MyAnimeList does, so it was not read.")
        ) from None
    except UploadError:
        raise
    except (LookupError, ValueError):
        raise UploadError(_("The file's encoding is not known. Save it as UTF-8.")) from None
    yield from target.taken()


class _Target:
    """Takes the parser's events and holds no more than one anime and those not yet fetched."""

    def __init__(self) -> None:
        self.line: Callable[[], int] = lambda: 0
        self._path: list[str] = []
        self._fields: dict[str, str] = {}
        self._begin = 0
        self._done: list[Entry | BadRow] = []

    def taken(self) -> list[Entry | BadRow]:
        done, self._done = self._done, []
        return done

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._path.append(tag)
        if len(self._path) > MAX_DEPTH:
            raise UploadError(_("Line %(line)s: tags are nested too deeply.") % {"line": self.line()})
        if len(self._path) == 1 and tag != "myanimelist":
            raise UploadError(
                _("This is XML, but not an anime list of MyAnimeList: it begins with <%(tag)s>.") % {"tag": tag[:40]}
            )
        if self._path == ["myanimelist", "manga"]:
            raise UploadError(_("This is a manga list. Export the anime list instead."))
        if self._path == ["myanimelist", "anime"]:
            self._fields, self._begin = {}, self.line()

    def data(self, text: str) -> None:
        if len(self._path) == 3 and self._path[1] == "anime" and self._path[2] in FIELDS:
            before = self._fields.get(self._path[2], "")
            self._fields[self._path[2]] = (before + text)[:MAX_TEXT]

    def end(self, tag: str) -> None:
        if self._path == ["myanimelist", "anime"]:
            self._done.append(self._row())
        self._path.pop()

    def close(self) -> None:
        pass

    def _row(self) -> Entry | BadRow:
        fields = {name: text.strip() for name, text in self._fields.items()}
        status = fields.get("my_status", "")
        return checked(
            _("line %(line)s") % {"line": self._begin},
            fields.get("series_animedb_id", ""),
            fields.get("series_title", ""),
            fields.get("my_score", ""),
            STATUSES.get(status.casefold(), status),
        )


def written(said: Iterable[Said], *, username: str) -> Iterator[str]:
    """The list as MyAnimeList and others import it. They have no list for "not interested", so those are left out, and
    no score without a list, so what is rated alone counts as completed."""
    rows = [one for one in said if one.score or one.status in THEIR_STATUSES]
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<myanimelist>\n'
    yield (
        f"  <myinfo><user_name>{_text(username)}</user_name><user_export_type>1</user_export_type>"
        f"<user_total_anime>{len(rows)}</user_total_anime></myinfo>\n"
    )
    for one in rows:
        status = THEIR_STATUSES.get(ListStatus(one.status or ListStatus.COMPLETED), "Completed")
        episodes = (one.episodes or 0) if status == "Completed" else 0
        yield (
            f"  <anime><series_animedb_id>{one.anime_id}</series_animedb_id>"
            f"<series_title>{_text(one.title)}</series_title>"
            f"<my_watched_episodes>{episodes}</my_watched_episodes><my_score>{one.score or 0}</my_score>"
            f"<my_status>{status}</my_status><update_on_import>1</update_on_import></anime>\n"
        )
    yield "</myanimelist>\n"


def _text(text: str) -> str:
    """Without the characters that XML has no way to write."""
    return escape("".join(char for char in text if char in "\t\n" or (char >= " " and char not in "\ufffe\uffff")))
