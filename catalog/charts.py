"""Line, bar and scatter charts as SVG text: no script, no style attribute, readable by screen readers.

Colours are classes (`chart-1`, `chart-2`, ...) that the style sheet defines for light and dark.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 48
COLOURS = 6


@dataclass(frozen=True)
class Series:
    """One named line or cloud of points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def line_chart(*, title: str, x_label: str, y_label: str, series: Sequence[Series], log_x: bool = False) -> SafeString:
    """Lines over a numeric axis. Raises ValueError when there is no point to draw."""
    frame = _Frame.around(series, log_x=log_x)
    marks = []
    for number, line in enumerate(series):
        points = " ".join(f"{frame.px(x):.1f},{frame.py(y):.1f}" for x, y in zip(line.x, line.y, strict=True))
        marks.append(f'<polyline class="chart-line {_colour(number)}" points="{points}"/>')
        marks.extend(_dot(frame, line.name, x, y, number) for x, y in zip(line.x, line.y, strict=True))
    return _document(title, x_label, y_label, frame, marks, [line.name for line in series])


def scatter_chart(*, title: str, x_label: str, y_label: str, series: Sequence[Series]) -> SafeString:
    """Points in a plane. Raises ValueError when there is none."""
    frame = _Frame.around(series)
    marks = [
        f'<circle class="chart-dot {_colour(number)}" cx="{frame.px(x):.1f}" cy="{frame.py(y):.1f}" r="2"/>'
        for number, cloud in enumerate(series)
        for x, y in zip(cloud.x, cloud.y, strict=True)
    ]
    return _document(title, x_label, y_label, frame, marks, [cloud.name for cloud in series])


def bar_chart(*, title: str, x_label: str, y_label: str, labels: Sequence[str], values: Sequence[float]) -> SafeString:
    """One bar a label, from 0. Raises ValueError when there is none."""
    if not labels:
        raise ValueError(f"chart {title!r} has nothing to draw")
    frame = _Frame(
        0,
        len(labels),
        0,
        max([*values, 1e-9]),
        draws_x_ticks=False,
    )
    slot = frame.px(1) - frame.px(0)
    marks = []
    every = math.ceil(len(labels) / 16)
    for i, (label, value) in enumerate(zip(labels, values, strict=True)):
        x, y = frame.px(i) + slot * 0.1, frame.py(value)
        marks.append(
            f'<rect class="chart-bar chart-1" x="{x:.1f}" y="{y:.1f}" width="{slot * 0.8:.1f}"'
            f' height="{frame.py(0) - y:.1f}"><title>{escape(label)}: {_number(value)}</title></rect>'
        )
        if i % every == 0:
            marks.append(_text("tick", label, f'x="{x + slot * 0.4:.1f}" y="{HEIGHT - BOTTOM + 16}"'))
    return _document(title, x_label, y_label, frame, marks, [])


@dataclass(frozen=True)
class _Frame:
    """Maps values to places in the picture."""

    x_min: float
    x_max: float
    y_min: float
    y_max: float
    log_x: bool = False
    draws_x_ticks: bool = True

    @classmethod
    def around(cls, series: Sequence[Series], *, log_x: bool = False) -> "_Frame":
        xs = [x for one in series for x in one.x]
        ys = [y for one in series for y in one.y]
        if not xs:
            raise ValueError("a chart needs at least one point")
        pad = (max(ys) - min(ys)) * 0.05 or 0.5
        return cls(min(xs), max(xs), min(ys) - pad, max(ys) + pad, log_x)

    def px(self, x: float) -> float:
        scale: Callable[[float], float] = math.log10 if self.log_x else float
        low, high = scale(self.x_min), scale(self.x_max)
        share = (scale(x) - low) / (high - low) if high > low else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def py(self, y: float) -> float:
        return HEIGHT - BOTTOM - (y - self.y_min) / (self.y_max - self.y_min) * (HEIGHT - TOP - BOTTOM)


def _document(
    title: str, x_label: str, y_label: str, frame: _Frame, marks: Sequence[str], names: Sequence[str]
) -> SafeString:
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg">',
        f"<title>{escape(title)}</title>",
        *_axes(frame),
        *marks,
        _text("label", x_label, f'x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}"'),
        _text("label", y_label, f'transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"'),
        *_legend(names),
        "</svg>",
    ]
    return mark_safe("".join(parts))  # noqa: S308  every text in it went through escape


def _axes(frame: _Frame) -> list[str]:
    parts = []
    for y in _ticks(frame.y_min, frame.y_max):
        py = frame.py(y)
        parts.append(f'<line class="chart-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py:.1f}" y2="{py:.1f}"/>')
        parts.append(f'<text class="chart-tick" text-anchor="end" x="{LEFT - 6}" y="{py + 4:.1f}">{_number(y)}</text>')
    if frame.draws_x_ticks:
        xs = _decades(frame.x_min, frame.x_max) if frame.log_x else _ticks(frame.x_min, frame.x_max)
        parts.extend(_text("tick", _number(x), f'x="{frame.px(x):.1f}" y="{HEIGHT - BOTTOM + 16}"') for x in xs)
    return parts


def _text(kind: str, text: str, place: str) -> str:
    return f'<text class="chart-{kind}" text-anchor="middle" {place}>{escape(text)}</text>'


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers between `low` and `high`."""
    if high <= low:
        return [low]
    raw = (high - low) / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = math.ceil(low / step)
    return [i * step for i in range(first, math.floor(high / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    between = [10.0**i for i in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    return between if len(between) > 1 else [low, high]


def _legend(names: Sequence[str]) -> list[str]:
    if len(names) < 2:
        return []
    return [
        f'<g transform="translate({WIDTH - RIGHT - 150} {TOP + 4 + 16 * i})">'
        f'<rect class="chart-bar {_colour(i)}" width="10" height="10"/>'
        f'<text class="chart-tick" x="16" y="9">{escape(name)}</text></g>'
        for i, name in enumerate(names)
    ]


def _dot(frame: _Frame, name: str, x: float, y: float, number: int) -> str:
    return (
        f'<circle class="chart-dot {_colour(number)}" cx="{frame.px(x):.1f}" cy="{frame.py(y):.1f}" r="2.5">'
        f"<title>{escape(name)}: {_number(x)}, {_number(y)}</title></circle>"
    )


def _colour(number: int) -> str:
    return f"chart-{number % COLOURS + 1}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
