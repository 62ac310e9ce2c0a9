"""Line, scatter and bar charts as SVG text, in plain Python: no script, no style attribute, a title and a description.

Colours are the classes `chart-1` to `chart-6`, which a style sheet sets for light and dark; without one, all is drawn
in the colour of the text around. Lines differ in their dashes too, so that no reader depends on colours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 84, 36, 12, 48
LEGEND_ROW, LEGEND_COLUMNS = 18, 2
COLOURS = 6
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "12 4")
#: Bars that get a label below; of more, some are left out.
MAX_BAR_LABELS = 16


@dataclass(frozen=True)
class Series:
    """One named line or cloud of points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Bars:
    """One bar for each label of a chart, with the bounds of their intervals where they are known."""

    name: str
    values: Sequence[float]
    intervals: Sequence[tuple[float, float]] | None = None


@dataclass(frozen=True)
class Text:
    """What a chart says in words."""

    title: str
    description: str
    x_label: str
    y_label: str


def line_chart(text: Text, series: Sequence[Series], *, log_x: bool = False, log_y: bool = False) -> str:
    """Lines over a numeric axis, a mark at each point.

    Raises:
        ValueError: no point to draw, a value that is not finite, or one that is not above 0 on a logarithmic axis.
    """
    frame = _around(text, series, log_x, log_y)
    marks = []
    for number, line in enumerate(series):
        places = [(frame.px(x), frame.py(y)) for x, y in zip(line.x, line.y, strict=True)]
        dash = f' stroke-dasharray="{DASHES[number % len(DASHES)]}"' if DASHES[number % len(DASHES)] else ""
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        look = f'class="chart-line {_colour(number)}" fill="none" stroke="currentColor"{dash}'
        marks.append(f'<polyline {look} points="{points}"/>')
        for (px, py), x, y in zip(places, line.x, line.y, strict=True):
            label = f"<title>{escape(line.name)}: {number_text(x)}, {number_text(y)}</title>"
            marks.append(
                f'<circle class="chart-dot {_colour(number)}" cx="{px:.1f}" cy="{py:.1f}" r="2.5">{label}</circle>'
            )
    return _document(text, frame, marks, [line.name for line in series])


def scatter_chart(text: Text, series: Sequence[Series]) -> str:
    """Points in a plane, the first series on top, colours starting anew after six.

    Raises:
        ValueError: as `line_chart`.
    """
    frame = _around(text, series, False, False)
    marks = []
    for number, cloud in reversed(list(enumerate(series))):
        # Lines of no length with round ends: a tenth of the size of as many circles.
        dots = "".join(f"M{frame.px(x):.1f} {frame.py(y):.1f}h0" for x, y in zip(cloud.x, cloud.y, strict=True))
        marks.append(
            f'<path class="chart-line {_colour(number)}" stroke="currentColor" stroke-width="3" stroke-linecap="round"'
            f' stroke-opacity="0.6" d="{dots}"><title>{escape(cloud.name)}</title></path>'
        )
    return _document(text, frame, marks, [cloud.name for cloud in series])


def bar_chart(text: Text, labels: Sequence[str], groups: Sequence[Bars]) -> str:
    """Bars from 0, side by side for each label, with whiskers where intervals are given.

    Raises:
        ValueError: no bar to draw, values that do not match the labels, or a value below 0 or not finite.
    """
    if not labels or not groups:
        raise ValueError(f"chart {text.title!r} has nothing to draw")
    for group in groups:
        if len(group.values) != len(labels):
            raise ValueError(f"{group.name!r} has {len(group.values)} values for {len(labels)} labels")
        if any(not math.isfinite(value) or value < 0 for value in group.values):
            raise ValueError(f"{group.name!r} has a value that is below 0 or not finite")
    highest = max(max([*group.values, *(high for _, high in group.intervals or ())]) for group in groups)
    frame = _Frame(0, len(labels), 0, highest * 1.05 or 1.0)
    slot = frame.px(1) - frame.px(0)
    width = slot * 0.8 / len(groups)
    every = math.ceil(len(labels) / MAX_BAR_LABELS)
    marks = []
    for place, label in enumerate(labels):
        for number, group in enumerate(groups):
            x = frame.px(place) + slot * 0.1 + width * number
            marks.extend(_bar(frame, group, place, label, x, width, number))
        if place % every == 0:
            marks.append(_label("tick", label, frame.px(place) + slot / 2, HEIGHT - BOTTOM + 16))
    names = [group.name for group in groups]
    return _document(text, frame, marks, names, are_bars=True)


def number_text(value: float) -> str:
    """A number as short as it can be read: 12,294, 0.255, 3.1e-05."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


@dataclass(frozen=True)
class _Frame:
    """Maps values to places in the picture."""

    x_min: float
    x_max: float
    y_min: float
    y_max: float
    log_x: bool = False
    log_y: bool = False

    def px(self, x: float) -> float:
        return LEFT + _share(x, self.x_min, self.x_max, self.log_x) * (WIDTH - LEFT - RIGHT)

    def py(self, y: float) -> float:
        return HEIGHT - BOTTOM - _share(y, self.y_min, self.y_max, self.log_y) * (HEIGHT - TOP - BOTTOM)


def _around(text: Text, series: Sequence[Series], log_x: bool, log_y: bool) -> _Frame:
    xs = [float(x) for one in series for x in one.x]
    ys = [float(y) for one in series for y in one.y]
    if not xs:
        raise ValueError(f"chart {text.title!r} has nothing to draw")
    if not all(map(math.isfinite, xs + ys)):
        raise ValueError(f"chart {text.title!r} has a value that is not finite")
    if (log_x and min(xs) <= 0) or (log_y and min(ys) <= 0):
        raise ValueError(f"chart {text.title!r} has a value that a logarithmic axis cannot show")
    if log_y:
        return _Frame(min(xs), max(xs), min(ys) / 1.2, max(ys) * 1.2, log_x, log_y)
    margin = (max(ys) - min(ys)) * 0.05 or abs(max(ys)) * 0.05 or 1.0
    return _Frame(min(xs), max(xs), min(ys) - margin, max(ys) + margin, log_x, log_y)


def _share(value: float, low: float, high: float, log: bool) -> float:
    if log:
        value, low, high = math.log10(value), math.log10(low), math.log10(high)
    return (value - low) / (high - low) if high > low else 0.5


def _document(text: Text, frame: _Frame, marks: Sequence[str], names: Sequence[str], *, are_bars: bool = False) -> str:
    legend = _legend(names, are_bars) if len(names) > 1 else []
    legend_height = LEGEND_ROW * math.ceil(len(names) / LEGEND_COLUMNS) if legend else 0
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return "".join(
        [
            f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT + legend_height}" role="img" fill="currentColor"'
            f' font-size="12" xmlns="http://www.w3.org/2000/svg">',
            f"<title>{escape(text.title)}</title><desc>{escape(text.description)}</desc>",
            *_axes(frame, x_ticks=not are_bars),
            *marks,
            _label("label", text.x_label, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12),
            f'<g transform="translate(14 {middle}) rotate(-90)">{_label("label", text.y_label, 0, 0)}</g>',
            *legend,
            "</svg>",
        ]
    )


def _axes(frame: _Frame, x_ticks: bool) -> list[str]:
    parts = []
    for y in _ticks(frame.y_min, frame.y_max, frame.log_y):
        py = frame.py(y)
        parts.append(
            f'<line class="chart-grid" stroke="currentColor" stroke-opacity="0.2" x1="{LEFT}" x2="{WIDTH - RIGHT}"'
            f' y1="{py:.1f}" y2="{py:.1f}"/>'
        )
        parts.append(_label("tick", number_text(y), LEFT - 6, py + 4, anchor="end"))
    if x_ticks:
        for x in _ticks(frame.x_min, frame.x_max, frame.log_x):
            parts.append(_label("tick", number_text(x), frame.px(x), HEIGHT - BOTTOM + 16))
    return parts


def _bar(frame: _Frame, group: Bars, place: int, label: str, x: float, width: float, number: int) -> list[str]:
    value = group.values[place]
    top = frame.py(value)
    title = f"<title>{escape(group.name)}, {escape(label)}: {number_text(value)}</title>"
    parts = [
        f'<rect class="chart-bar {_colour(number)}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}"'
        f' height="{frame.py(0) - top:.1f}" fill-opacity="{_opacity(number)}">{title}</rect>'
    ]
    if group.intervals:
        low, high = group.intervals[place]
        middle = x + width / 2
        parts.append(
            f'<line class="chart-whisker" stroke="currentColor" x1="{middle:.1f}" x2="{middle:.1f}"'
            f' y1="{frame.py(low):.1f}" y2="{frame.py(high):.1f}"/>'
        )
    return parts


def _label(kind: str, text: str, x: float, y: float, anchor: str = "middle") -> str:
    return f'<text class="chart-{kind}" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _legend(names: Sequence[str], are_bars: bool) -> list[str]:
    column = (WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS
    parts = []
    for number, name in enumerate(names):
        x = LEFT + column * (number % LEGEND_COLUMNS)
        y = HEIGHT + 8 + LEGEND_ROW * (number // LEGEND_COLUMNS)
        dash = f' stroke-dasharray="{DASHES[number % len(DASHES)]}"' if DASHES[number % len(DASHES)] else ""
        if are_bars:
            look = f'class="chart-bar {_colour(number)}" fill-opacity="{_opacity(number)}"'
            parts.append(f'<rect {look} x="{x:.1f}" y="{y - 10}" width="24" height="12"/>')
        else:
            look = f'class="chart-line {_colour(number)}" stroke="currentColor" stroke-width="3"{dash}'
            parts.append(f'<line {look} x1="{x:.1f}" x2="{x + 24:.1f}" y1="{y - 4}" y2="{y - 4}"/>')
        parts.append(_label("tick", name, x + 30, y, anchor="start"))
    return parts


def _ticks(low: float, high: float, log: bool) -> list[float]:
    """About five round numbers from low to high; powers of ten on a logarithmic axis where there are two."""
    if log:
        decades = [10.0**i for i in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)]
        if len(decades) > 1:
            return decades
    if high <= low:
        return [low]
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(multiple * power for multiple in (1, 2, 5, 10) if multiple * power >= raw * (1 - 1e-9))
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _opacity(number: int) -> str:
    """Of a bar, so that no reader depends on colours."""
    return f"{0.85 - 0.2 * (number % 3):.2f}"


def _colour(number: int) -> str:
    return f"chart-{number % COLOURS + 1}"
