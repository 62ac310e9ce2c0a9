"""The words of data sets, genres and sources, in the reader's language."""

from django.utils.translation import gettext, gettext_noop

#: Those of MyAnimeList. What a data set says besides is shown as it says it.
KNOWN = frozenset({
    gettext_noop("Action"), gettext_noop("Adventure"), gettext_noop("Cars"), gettext_noop("Comedy"),
    gettext_noop("Dementia"), gettext_noop("Demons"), gettext_noop("Drama"), gettext_noop("Ecchi"),
    gettext_noop("Fantasy"), gettext_noop("Game"), gettext_noop("Harem"), gettext_noop("Hentai"),
    gettext_noop("Historical"), gettext_noop("Horror"), gettext_noop("Josei"), gettext_noop("Kids"),
    gettext_noop("Magic"), gettext_noop("Martial Arts"), gettext_noop("Mecha"), gettext_noop("Military"),
    gettext_noop("Music"), gettext_noop("Mystery"), gettext_noop("Parody"), gettext_noop("Police"),
    gettext_noop("Psychological"), gettext_noop("Romance"), gettext_noop("Samurai"), gettext_noop("School"),
    gettext_noop("Sci-Fi"), gettext_noop("Seinen"), gettext_noop("Shoujo"), gettext_noop("Shoujo Ai"),
    gettext_noop("Shounen"), gettext_noop("Shounen Ai"), gettext_noop("Slice of Life"), gettext_noop("Space"),
    gettext_noop("Sports"), gettext_noop("Super Power"), gettext_noop("Supernatural"), gettext_noop("Thriller"),
    gettext_noop("Vampire"), gettext_noop("Yaoi"), gettext_noop("Yuri"),
    gettext_noop("4-koma manga"), gettext_noop("Book"), gettext_noop("Card game"), gettext_noop("Digital manga"),
    gettext_noop("Light novel"), gettext_noop("Manga"), gettext_noop("Novel"), gettext_noop("Original"),
    gettext_noop("Other"), gettext_noop("Picture book"), gettext_noop("Radio"), gettext_noop("Visual novel"),
    gettext_noop("Web manga"),
})  # fmt: skip


def translated(word: str) -> str:
    """A genre or source in the language of the request."""
    return gettext(word) if word in KNOWN else word
