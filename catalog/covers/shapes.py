"""The sheet and the flat shapes that covers are drawn with, as SVG elements in text."""

from dataclasses import dataclass

WIDTH, HEIGHT = 300, 420


@dataclass(frozen=True)
class Palette:
    """Colours from far to near: `ink` is the darkest and carries `paper`-coloured text."""

    sky: str
    glow: str
    far: str
    near: str
    ink: str
    paper: str = "#fdf8ee"


def rect(fill: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect x="{x:.0f}" y="{y:.1f}" width="{width:.0f}" height="{height:.1f}" fill="{fill}"/>'


def circle(fill: str, x: float, y: float, radius: float) -> str:
    return f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.1f}" fill="{fill}"/>'


def ring(stroke: str, x: float, y: float, radius: float, width: float) -> str:
    return (
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.1f}" fill="none" stroke="{stroke}" stroke-width="{width:.0f}"/>'
    )


def line(stroke: str, x1: float, y1: float, x2: float, y2: float, width: float) -> str:
    return f'<path d="M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}" stroke="{stroke}" stroke-width="{width:.1f}"/>'


def polygon(fill: str, points: list[tuple[float, float]]) -> str:
    return f'<polygon points="{" ".join(f"{x:.0f},{y:.0f}" for x, y in points)}" fill="{fill}"/>'


def petal(fill: str, x: float, y: float, turn: float, length: float) -> str:
    """A cherry petal that starts at (x, y), notched at its tip."""
    n = length
    shape = (
        f"M0 0C{n * 0.42:.1f} {-n * 0.3:.1f} {n * 0.4:.1f} {-n * 0.86:.1f} {n * 0.14:.1f} {-n:.1f}L0 {-n * 0.86:.1f}"
    )
    shape += f"L{-n * 0.14:.1f} {-n:.1f}C{-n * 0.4:.1f} {-n * 0.86:.1f} {-n * 0.42:.1f} {-n * 0.3:.1f} 0 0z"
    return f'<path d="{shape}" transform="translate({x:.0f} {y:.0f})rotate({turn:.0f})" fill="{fill}"/>'
