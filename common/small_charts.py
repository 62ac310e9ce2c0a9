"""Small bar charts that stay readable on a phone: SVG text by the rules of `common.charts`, drawn 360 units wide."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 360
_COLUMN_HEIGHT, _TOP, _BOTTOM = 120, 22, 24
_ROW, _NAME_WIDTH, _NUMBER_WIDTH = 30, 112, 40


@dataclass(frozen=True)
class Row:
    """A named bar, and where a mark stands for comparison."""

    name: str
    value: float
    mark: float | None = None
    note: str = ""


def columns(
    title: str,
    labels: Sequence[str],
    shares: Sequence[float],
    *,
    chosen: int | None = None,
    marks: Sequence[float] | None = None,
) -> str:
    """Upright bars with a percentage above each; the one at `chosen` stands out.

    Args:
        shares: of 1, each at least 0.
        marks: shares to compare with, a line across each bar.

    Raises:
        ValueError: not one share for each label, or none above 0.
    """
    if len(labels) != len(shares) or max(shares, default=0) <= 0 or min(shares) < 0:
        raise ValueError(f"chart {title!r} needs a share for each of its labels, and one above 0")
    slot = WIDTH / len(labels)
    width = min(slot * 0.8, 48)
    highest = max([*shares, *(marks or ())])
    parts = []
    for place, (label, share) in enumerate(zip(labels, shares, strict=True)):
        height = max(share / highest * _COLUMN_HEIGHT, 1.5)
        top = _TOP + _COLUMN_HEIGHT - height
        middle = slot * (place + 0.5)
        colour = "chart-2" if place == chosen else "chart-1"
        percent = f"{share:.0%}" if share >= 0.005 or not share else "<1%"
        parts.append(
            f'<rect class="chart-bar {colour}" x="{middle - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}"'
            f' height="{height:.1f}" rx="3"><title>{escape(label)}: {escape(percent)}</title></rect>'
        )
        if marks is not None:
            y = _TOP + _COLUMN_HEIGHT - marks[place] / highest * _COLUMN_HEIGHT
            left, right = middle - width / 2 - 2, middle + width / 2 + 2
            parts.append(f'<line class="chart-mark" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
            top = min(top, y)
        parts.append(_text("chart-value", percent, middle, top - 6, "middle"))
        parts.append(_text("chart-tick", label, middle, _TOP + _COLUMN_HEIGHT + 17, "middle"))
    words = ", ".join(f"{label}: {share:.0%}" for label, share in zip(labels, shares, strict=True))
    return _svg(title, words, _TOP + _COLUMN_HEIGHT + _BOTTOM, parts)


def rows(title: str, bars: Sequence[Row], *, low: float, high: float) -> str:
    """Lying bars from `low` to `high`, each with its name before it, its number behind, and its mark across.

    Raises:
        ValueError: no bar, or `high` not above `low`.
    """
    if not bars or high <= low:
        raise ValueError(f"chart {title!r} has nothing to draw")
    length = WIDTH - _NAME_WIDTH - _NUMBER_WIDTH
    parts = []
    for place, bar in enumerate(bars):
        middle = _ROW * (place + 0.5)
        reach = _within(bar.value, low, high) * length
        tip = f"{bar.name}: {bar.value:.1f}" + (f" ({bar.note})" if bar.note else "")
        parts.append(_text("chart-name", bar.name, _NAME_WIDTH - 10, middle + 4, "end"))
        parts.append(
            f'<rect class="chart-track" x="{_NAME_WIDTH}" y="{middle - 8:.1f}" width="{length}" height="16" rx="4"/>'
        )
        parts.append(
            f'<rect class="chart-bar chart-1" x="{_NAME_WIDTH}" y="{middle - 8:.1f}" width="{max(reach, 1.5):.1f}"'
            f' height="16" rx="4"><title>{escape(tip)}</title></rect>'
        )
        if bar.mark is not None:
            x = _NAME_WIDTH + _within(bar.mark, low, high) * length
            parts.append(
                f'<line class="chart-mark" x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 11:.1f}" y2="{middle + 11:.1f}"/>'
            )
        parts.append(_text("chart-value", f"{bar.value:.1f}", WIDTH, middle + 4, "end"))
    words = ", ".join(f"{bar.name}: {bar.value:.1f}" for bar in bars)
    return _svg(title, words, _ROW * len(bars), parts)


def _within(value: float, low: float, high: float) -> float:
    return (min(max(value, low), high) - low) / (high - low)


def _text(kind: str, text: str, x: float, y: float, anchor: str) -> str:
    return f'<text class="{kind}" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(title: str, words: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" fill="currentColor" font-size="12"'
        f' xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title><desc>{escape(words)}</desc>'
        f"{''.join(parts)}</svg>"
    )
