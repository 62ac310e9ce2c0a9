"""Covers for anime of which there is no poster: a picture after the genres, and the title set below it."""

import unicodedata
from collections.abc import Collection
from datetime import datetime

from django.utils.html import escape

from catalog.covers.art import draw
from catalog.covers.shapes import HEIGHT, WIDTH, Palette

#: Raise it when the design changes, so that browsers ask again.
DESIGN = 1
FONTS = (
    "-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans','Liberation Sans',Arial,"
    "'Hiragino Sans','Yu Gothic','Noto Sans CJK JP',sans-serif"
)
MARGIN = 20
#: Sizes of the title with the number of lines allowed at each, tried in order.
SIZES = ((33, 2), (28, 3), (24, 3), (21, 4), (18, 4))
LINE_HEIGHT = 1.16
#: Room for the Japanese title, set vertically on a paper band.
BAND_WIDTH, BAND_LENGTH, BAND_SIZE = 34, 216, 15
#: Widths in em of a bold grotesque; wide enough that no common system font runs over the edge.
NARROW, MEDIUM, WIDE = (
    frozenset("ijl.,:;'|!I ()[]-/ftr"),
    frozenset("abcdeghknopqsuvxyz0123456789J?*"),
    frozenset("mwMW@%"),
)


def version(updated_at: datetime) -> str:
    """Part of the address of the cover of a row that was updated then: another cover has another address."""
    return f"{DESIGN}-{int(updated_at.timestamp())}"


def cover(*, mal_id: int, name: str, japanese_name: str, genres: Collection[str], note: str) -> str:
    """The cover as an SVG document, the same for the same arguments. `note` is a few words, such as "TV · 1998"."""
    palette, picture = draw(genres, seed=mal_id)
    size, lines = fit_title(name, WIDTH - 2 * MARGIN)
    top = HEIGHT - 54 - len(lines) * size * LINE_HEIGHT
    baselines = [top + 20 + size * (0.86 + LINE_HEIGHT * i) for i in range(len(lines))]
    title = "".join(
        f'<text x="{MARGIN}" y="{y:.1f}">{_escape(line)}</text>' for y, line in zip(baselines, lines, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' role="img" aria-label="{_escape(name)}">{picture}'
        f'<rect y="{top:.1f}" width="{WIDTH}" height="{HEIGHT - top:.1f}" fill="{palette.ink}"/>'
        f'<rect y="{top:.1f}" width="{WIDTH}" height="4" fill="{palette.glow}"/>'
        f"{_band(japanese_name, palette)}"
        f'<g font-family="{FONTS}" fill="{palette.paper}">'
        f'<g font-weight="700" font-size="{size}">{title}</g>'
        f'<text x="{MARGIN}" y="{HEIGHT - 17}" font-size="13" opacity=".8">{_escape(note)}</text></g></svg>'
    )


def fit_title(title: str, width: float) -> tuple[int, list[str]]:
    """The largest of SIZES at which `title` fits `width` in its lines, and those lines; else cut with an ellipsis."""
    words = _words(title)
    for size, most_lines in SIZES:
        lines = _wrap(words, width / size)
        if len(lines) <= most_lines and max(map(_width, lines)) <= width / size:
            return size, _balanced(words, width / size, len(lines))
    size, most_lines = SIZES[-1]
    lines = [_cut(line, width / size) for line in _wrap(words, width / size)]
    if len(lines) > most_lines:
        lines = [*lines[: most_lines - 1], _cut(lines[most_lines - 1] + " …", width / size)]
    return size, lines


def _printable(text: str) -> str:
    """Without control characters, which no XML document may hold."""
    return "".join(c if c.isprintable() else " " for c in text)


def _escape(text: str) -> str:
    return escape(_printable(text))


def _words(title: str) -> list[str]:
    """Where a line may break: at spaces, and between wide characters, which are written without them."""
    words: list[str] = []
    for word in _printable(title).split():
        if any(_is_wide(c) for c in word):
            words.extend(word)
        else:
            words.append(word)
    return words or ["?"]


def _wrap(words: list[str], width: float) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        joined = _join(lines[-1], word)
        if _width(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _balanced(words: list[str], width: float, count: int) -> list[str]:
    """As many lines as `_wrap` needs, but about equally long: the narrowest measure that still gives `count`."""
    measure = width
    while (narrower := _wrap(words, measure - 0.25)) and len(narrower) <= count and measure > 1:
        measure -= 0.25
    return _wrap(words, measure)


def _join(line: str, word: str) -> str:
    return line + word if _is_wide(line[-1]) and _is_wide(word[0]) else f"{line} {word}"


def _cut(line: str, width: float) -> str:
    if _width(line) <= width:
        return line
    while line and _width(line + "…") > width:
        line = line[:-1]
    return line.rstrip(" …") + "…"


def _band(japanese_name: str, palette: Palette) -> str:
    """The Japanese title on its band; nothing where it is unknown or the same Latin letters again."""
    text = _printable(japanese_name).strip()
    if not any(_is_wide(c) for c in text):
        return ""
    text = _cut(text, BAND_LENGTH / BAND_SIZE)
    length = _width(text) * BAND_SIZE + 28
    left = WIDTH - MARGIN - BAND_WIDTH
    return (
        f'<rect x="{left}" width="{BAND_WIDTH}" height="{length:.0f}" fill="{palette.paper}"/>'
        f'<text x="{left + BAND_WIDTH / 2}" y="14" writing-mode="vertical-rl" font-family="{FONTS}" lang="ja"'
        f' font-size="{BAND_SIZE}" font-weight="600" fill="{palette.ink}">{_escape(text)}</text>'
    )


def _width(text: str) -> float:
    return sum(_em(c) for c in text)


def _em(c: str) -> float:
    if c in NARROW:
        return 0.36
    if c in MEDIUM:
        return 0.63
    if _is_wide(c):
        return 1.0
    return 0.95 if c in WIDE else 0.76


def _is_wide(c: str) -> bool:
    return unicodedata.east_asian_width(c) in "WF"
