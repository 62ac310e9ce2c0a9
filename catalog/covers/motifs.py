"""The motifs of generated covers: flat shapes in the manner of a woodblock print.

Each draws on a sheet of WIDTH x HEIGHT units with the colours of its palette, varied by `r`, and returns SVG elements
as text. Nothing that a person typed goes in.
"""

import math
from random import Random

from catalog.covers.shapes import HEIGHT, WIDTH, Palette, circle, line, petal, polygon, rect, ring


def facets(p: Palette, r: Random) -> str:
    """Machines: plates that meet at hard angles around one light."""
    x, y = r.uniform(110, 190), r.uniform(105, 150)
    start = r.uniform(0, math.tau)
    around = [start + math.tau * i / 7 + r.uniform(-0.18, 0.18) for i in range(7)]
    tones = [p.far, p.near, p.sky, p.near, p.far, p.ink, p.near]
    plates = ""
    for i, angle in enumerate(around):
        after = around[(i + 1) % 7]
        corners = [(x + 34 * math.cos(a), y + 34 * math.sin(a)) for a in (angle, after)]
        edges = [(x + 420 * math.cos(a), y + 420 * math.sin(a)) for a in (after, angle)]
        plates += polygon(tones[i], [*corners, *edges])
    return plates + circle(p.glow, x, y, 24) + ring(p.paper, x, y, 44, 3)


def orbits(p: Palette, r: Random) -> str:
    """Space: a planet, its paths, and stars."""
    x, y, size = r.uniform(105, 195), r.uniform(120, 160), r.uniform(48, 66)
    tilt = r.uniform(-32, 32)
    stars = "".join(circle(p.paper, r.uniform(8, 292), r.uniform(8, 300), r.choice((0.9, 1.2, 1.8))) for _ in range(46))
    paths = "".join(
        f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{size * k:.0f}" ry="{size * k * 0.3:.0f}" fill="none"'
        f' stroke="{p.far}" stroke-width="2.5" transform="rotate({tilt:.0f} {x:.0f} {y:.0f})"/>'
        for k in (1.5, 2.1, 2.8)
    )
    angle = math.radians(tilt)
    moon = (x + size * 2.1 * math.cos(angle), y + size * 2.1 * math.sin(angle))
    half = f"M{x:.0f} {y - size:.0f}a{size:.0f} {size:.0f} 0 0 1 0 {2 * size:.0f}z"
    shade = f'<path d="{half}" fill="{p.ink}" opacity=".28"/>'
    return (
        rect(p.ink, 0, 0, WIDTH, HEIGHT)
        + stars
        + paths
        + circle(p.glow, x, y, size)
        + shade
        + circle(p.paper, *moon, size * 0.17)
    )


def track(p: Palette, r: Random) -> str:
    """Sports and cars: lanes that sweep past."""
    lanes = ""
    top = r.uniform(-30, 30)
    for i, tone in enumerate((p.far, p.paper, p.near, p.sky, p.ink)):
        y = 96 + top + i * 46
        lanes += (
            f'<path d="M-10 {y + 130:.0f}C90 {y + 60:.0f} 150 {y + 20:.0f} 310 {y - 70:.0f}V430H-10z" fill="{tone}"/>'
        )
    return circle(p.glow, r.uniform(70, 130), r.uniform(74, 104), 42) + lanes


def bars(p: Palette, r: Random) -> str:
    """Music: sound as columns."""
    columns = ""
    phase = r.uniform(0, math.tau)
    for i in range(13):
        height = 52 + 62 * abs(math.sin(phase + i * 0.55)) + r.uniform(0, 62)
        tone = (p.far, p.near, p.glow)[i % 3]
        left, top = 12 + i * 21.6, 282 - height
        columns += f'<rect x="{left:.1f}" y="{top:.0f}" width="14" height="{height + 40:.0f}" rx="7" fill="{tone}"/>'
    return circle(p.paper, r.uniform(90, 210), r.uniform(84, 110), 46) + columns


def moon(p: Palette, r: Random) -> str:
    """Horror: a large moon behind bare stakes."""
    x, y = r.uniform(110, 190), r.uniform(112, 150)
    stakes = ""
    for i in range(12):
        left = i * 26 - 10 + r.uniform(-5, 5)
        tip = r.uniform(165, 268)
        stakes += polygon(
            p.ink if i % 3 else p.near, [(left, 430), (left + 15 + r.uniform(-9, 9), tip), (left + 34, 430)]
        )
    bats = "".join(
        f'<path d="M{bx:.0f} {by:.0f}q6 -9 12 0q6 -9 12 0q-6 -3 -12 6q-6 -9 -12 -6z" fill="{p.ink}"/>'
        for bx, by in ((x + r.uniform(-90, -50), y - 24), (x + r.uniform(30, 64), y - r.uniform(30, 60)))
    )
    return circle(p.far, x, y, 104) + circle(p.glow, x, y, 70) + bats + stakes


def waves(p: Palette, r: Random) -> str:
    """Samurai and history: the seigaiha pattern below a red sun."""
    sun = circle(p.glow, r.uniform(84, 200), r.uniform(92, 116), r.uniform(46, 60))
    scales = ""
    for row in range(9):
        y = 182 + row * 17
        for column in range(-1, 6):
            x = column * 60 + (30 if row % 2 else 0)
            scales += circle(p.near, x, y, 31) + circle(p.sky, x, y, 25) + circle(p.far, x, y, 19)
            scales += circle(p.sky, x, y, 12) + circle(p.near, x, y, 6)
    return sun + scales


def rings(p: Palette, r: Random) -> str:
    """Mystery: circles that do not share a centre."""
    x, y = 150.0, 140.0
    drift = r.uniform(0, math.tau)
    rings = ""
    for i, tone in enumerate((p.far, p.sky, p.near, p.sky, p.near, p.far, p.ink)):
        size = 190 - i * 26
        rings += circle(tone, x + 5.4 * i * math.cos(drift), y + 5.4 * i * math.sin(drift), size)
    return rings + circle(p.glow, x + 38 * math.cos(drift), y + 38 * math.sin(drift), 13)


def horizon(p: Palette, r: Random) -> str:
    """Science fiction: a cut sun over a plain of lines."""
    y = 190 + r.uniform(-10, 14)
    size = r.uniform(70, 84)
    x = r.uniform(120, 180)
    cuts = "".join(rect(p.sky, x - 90, y - 10 - i * 15, 180, 5.5 - i * 0.9) for i in range(5))
    rails = "".join(line(p.far, x + (i - 6) * 14, y, x + (i - 6) * 82, 430, 1.6) for i in range(13))
    rungs = "".join(line(p.far, 0, y + 4 + i * i * 4.2, 300, y + 4 + i * i * 4.2, 1.6) for i in range(7))
    return circle(p.glow, x, y - 34, size) + cuts + rect(p.ink, 0, y, WIDTH, HEIGHT) + rails + rungs


def peaks(p: Palette, r: Random) -> str:
    """Fantasy and adventure: ranges, one behind the other."""
    sun = circle(p.glow, r.uniform(70, 230), r.uniform(74, 104), r.uniform(28, 42))
    stars = "".join(circle(p.paper, r.uniform(10, 290), r.uniform(10, 120), 1.4) for _ in range(14))
    ranges = ""
    for tone, base, rough in ((p.far, 168, 46), (p.near, 214, 40), (p.ink, 262, 26)):
        points = [(-10.0, 430.0)]
        for i in range(8):
            points.append(
                (-10 + i * 46 + r.uniform(-10, 10), base + (rough if i % 2 else -rough) * r.uniform(0.5, 1.1))
            )
        ranges += polygon(tone, [*points, (320, base), (320, 430)])
    return sun + stars + ranges


def petals(p: Palette, r: Random) -> str:
    """Romance: blossom in the wind."""
    x, y = r.uniform(90, 210), r.uniform(120, 150)
    turn = r.uniform(0, 72)
    bloom = "".join(petal(p.far, x, y, turn + i * 72, 62) for i in range(5))
    bloom += "".join(petal(p.glow, x, y, turn + 36 + i * 72, 40) for i in range(5)) + circle(p.paper, x, y, 11)
    loose = "".join(
        petal(
            r.choice((p.glow, p.far, p.near)),
            r.uniform(10, 290),
            r.uniform(16, 300),
            r.uniform(0, 360),
            r.uniform(13, 22),
        )
        for _ in range(17)
    )
    return circle(p.paper, x, y, 98) + loose + bloom


def hills(p: Palette, r: Random) -> str:
    """Everyday life: low hills, a wide sun, a few clouds."""
    sun = circle(p.glow, r.uniform(80, 220), r.uniform(118, 150), r.uniform(50, 64))
    clouds = "".join(
        f'<rect x="{cx:.0f}" y="{cy:.0f}" width="{w:.0f}" height="15" rx="7.5" fill="{p.paper}"/>'
        f'<rect x="{cx + w * 0.28:.0f}" y="{cy - 11:.0f}" width="{w * 0.5:.0f}" height="15" rx="7.5" fill="{p.paper}"/>'
        for cx, cy, w in ((r.uniform(14, 60), r.uniform(52, 84), 72), (r.uniform(170, 214), r.uniform(96, 126), 88))
    )
    slopes = ""
    for tone, y in ((p.far, 186), (p.near, 222), (p.ink, 262)):
        a, b = r.uniform(-48, 12), r.uniform(-12, 48)
        slopes += f'<path d="M0 {y:.0f}C80 {y + a:.0f} 190 {y + b:.0f} 300 {y - b / 2:.0f}V420H0z" fill="{tone}"/>'
    return sun + clouds + slopes


def confetti(p: Palette, r: Random) -> str:
    """Comedy and children: bright pieces thrown in the air."""
    pieces = ""
    for row in range(6):
        for column in range(6):
            x, y = 26 + column * 50 + r.uniform(-9, 9), 24 + row * 50 + r.uniform(-9, 9)
            tone = r.choice((p.glow, p.far, p.near, p.paper))
            size = r.uniform(9, 19)
            match r.randrange(4):
                case 0:
                    pieces += circle(tone, x, y, size)
                case 1:
                    pieces += ring(tone, x, y, size - 3, 6)
                case 2:
                    arc = f"M{x - size:.0f} {y:.0f}a{size:.0f} {size:.0f} 0 0 1 {2 * size:.0f} 0z"
                    pieces += f'<path d="{arc}" fill="{tone}"/>'
                case _:
                    pieces += polygon(tone, [(x, y - size), (x + size, y + size * 0.7), (x - size, y + size * 0.7)])
    return pieces


def rays(p: Palette, r: Random) -> str:
    """Action: light that bursts from one point."""
    x, y = r.uniform(100, 200), r.uniform(130, 180)
    turn = r.uniform(0, math.tau)
    rays = ""
    for i in range(14):
        angle = turn + math.tau * i / 14
        points = [(x, y)] + [(x + 460 * math.cos(a), y + 460 * math.sin(a)) for a in (angle, angle + math.tau / 28)]
        rays += polygon(p.far if i % 2 else p.near, points)
    return rays + circle(p.paper, x, y, 62) + circle(p.glow, x, y, 50)


def pines(p: Palette, r: Random) -> str:
    """Old tales: a wood in rows, the nearest darkest."""
    trees = ""
    for tone, base, size, gap in ((p.far, 196, 30, 25), (p.near, 236, 46, 34), (p.ink, 292, 74, 50)):
        x = r.uniform(-20, 0)
        while x < WIDTH + 20:
            height = size * r.uniform(1.1, 1.9)
            for part in range(3):
                half, y = size * (0.24 + 0.13 * part), base - height + part * height * 0.27
                trees += polygon(tone, [(x, y), (x + half, y + height * 0.46), (x - half, y + height * 0.46)])
            x += gap * r.uniform(0.7, 1.2)
        trees += rect(tone, 0, base - 4, WIDTH, HEIGHT)
    return circle(p.glow, r.uniform(80, 220), r.uniform(80, 116), r.uniform(38, 54)) + trees


def sigil(p: Palette, r: Random) -> str:
    """Magic: a circle drawn to call something."""
    x, y, size = 150.0, 138.0, 104.0
    points = r.choice((5, 6, 7, 8))
    step = 2 if points < 7 else 3
    turn = r.uniform(0, math.tau)
    around = [
        (x + size * math.cos(turn + math.tau * i / points), y + size * math.sin(turn + math.tau * i / points))
        for i in range(points)
    ]
    star = "".join(line(p.glow, *around[i], *around[(i + step) % points], 2.6) for i in range(points))
    runes = "".join(circle(p.paper, *point, 8) + circle(p.near, *point, 4) for point in around)
    sparks = "".join(circle(p.paper, r.uniform(6, 294), r.uniform(6, 300), r.choice((1, 1.6))) for _ in range(30))
    return (
        rect(p.ink, 0, 0, WIDTH, HEIGHT)
        + circle(p.near, x, y, 150)
        + sparks
        + ring(p.far, x, y, size + 16, 3)
        + ring(p.glow, x, y, size, 4)
        + star
        + ring(p.far, x, y, size * 0.46, 3)
        + circle(p.glow, x, y, 13)
        + runes
    )


def gate(p: Palette, r: Random) -> str:
    """Spirits: a torii before the sun, its foot in the water."""
    x, y, size = r.uniform(128, 160), r.uniform(116, 140), r.uniform(76, 90)
    left, right, top = x - 62, x + 62, y - 28
    roof = f"M{left - 34:.0f} {top - 20:.0f}Q{x:.0f} {top - 4:.0f} {right + 34:.0f} {top - 20:.0f}"
    roof += f"l-6 18Q{x:.0f} {top + 16:.0f} {left - 28:.0f} {top - 2:.0f}z"
    beam = f'<path d="{roof}" fill="{p.ink}"/>'
    posts = polygon(p.ink, [(left, top), (left + 15, top), (left + 9, 300), (left - 9, 300)])
    posts += polygon(p.ink, [(right - 15, top), (right, top), (right + 9, 300), (right - 9, 300)])
    tie = rect(p.ink, left - 14, top + 34, 152, 11) + rect(p.ink, x - 6, top + 6, 12, 30)
    water = rect(p.near, 0, 240, WIDTH, HEIGHT)
    glints = "".join(rect(p.far, r.uniform(-20, 260), 250 + i * 9, r.uniform(30, 110), 2.5) for i in range(9))
    return circle(p.glow, x, y, size) + rect(p.far, 0, 226, WIDTH, HEIGHT) + water + glints + beam + posts + tie


def city(p: Palette, r: Random) -> str:
    """Streets: towers with a few windows lit."""
    towers = ""
    for tone, base, lit in ((p.far, 150, 0.0), (p.near, 196, 0.22), (p.ink, 244, 0.3)):
        x = r.uniform(-24, 0)
        while x < WIDTH:
            width, top = r.choice((30, 36, 44)), base + r.uniform(-44, 34)
            towers += rect(tone, x, top, width + 1, HEIGHT)
            for row in range(4 if lit else 0):
                for column in range(width // 10):
                    if r.random() < lit:
                        towers += rect(p.glow, x + 4 + column * 10, top + 9 + row * 15, 5, 8)
            x += width
    return circle(p.paper, r.uniform(60, 220), r.uniform(62, 88), r.uniform(26, 36)) + towers
