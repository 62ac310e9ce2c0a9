"""Which picture a generated cover shows: palettes and motifs that the genres choose from, by a seed."""

from collections.abc import Callable, Collection
from random import Random

from catalog.covers.motifs import (
    bars,
    city,
    confetti,
    facets,
    gate,
    hills,
    horizon,
    moon,
    orbits,
    peaks,
    petals,
    pines,
    rays,
    rings,
    sigil,
    track,
    waves,
)
from catalog.covers.shapes import HEIGHT, WIDTH, Palette

Motif = Callable[[Palette, Random], str]

DUSK = Palette("#f4bf86", "#e4572e", "#b23a48", "#6a2448", "#2a1436")
SEA = Palette("#cfe7e3", "#f4d58d", "#62a9a4", "#2a6b7c", "#10333b")
FOREST = Palette("#e5ecce", "#f0be48", "#8bad67", "#3e7a57", "#15372c")
NIGHT = Palette("#34386b", "#f5e6c4", "#50559b", "#272b5a", "#12142e")
SAKURA = Palette("#fbe0e2", "#f7929f", "#e0697f", "#96406a", "#3c1c3c")
CANDY = Palette("#ffefc4", "#ff7b66", "#45b3a4", "#2f6690", "#1c2c4e")
STEEL = Palette("#d8dfe5", "#e5404a", "#8199ab", "#3f5c76", "#15263a")
BLOOD = Palette("#4a1322", "#ec4a41", "#73202f", "#310b16", "#150409")
MIST = Palette("#dde2ea", "#f8f2df", "#9ca9c0", "#5b6988", "#232c45")
LILAC = Palette("#ebe3f5", "#f8c19a", "#b698d6", "#6f4f9c", "#2b1b47")
GOLD = Palette("#f6e5b8", "#cf3527", "#dc9a3b", "#98562a", "#391f10")
NEON = Palette("#12334a", "#ff4d86", "#1aa9b5", "#0c5470", "#061723")
INDIGO = Palette("#e8e3d3", "#c8402f", "#5b7fa6", "#28466f", "#13233f")


def draw(genres: Collection[str], seed: int) -> tuple[Palette, str]:
    """The palette and the picture for these genres, as SVG elements: the first of CHOICES that any of them is in."""
    random = Random(seed)  # noqa: S311  a picture, not a secret
    for names, motifs, palettes in CHOICES:
        if not names or names.intersection(genres):
            palette = random.choice(palettes)
            sky = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{palette.sky}"/>'
            return palette, sky + random.choice(motifs)(palette, random)
    raise AssertionError("the last choice takes every genre")


#: From the telling genres to the common ones.
CHOICES: list[tuple[frozenset[str], tuple[Motif, ...], tuple[Palette, ...]]] = [
    (frozenset({"Mecha"}), (facets,), (STEEL, INDIGO, NEON, DUSK)),
    (frozenset({"Space"}), (orbits,), (NIGHT, NEON, DUSK, LILAC)),
    (frozenset({"Sports", "Cars"}), (track,), (STEEL, CANDY, GOLD, SEA)),
    (frozenset({"Music"}), (bars,), (LILAC, CANDY, NIGHT, SAKURA)),
    (frozenset({"Samurai", "Historical"}), (waves, waves, gate, pines), (INDIGO, GOLD, SEA, STEEL, DUSK)),
    (frozenset({"Horror", "Vampire", "Dementia"}), (moon,), (BLOOD, NIGHT, MIST)),
    (frozenset({"Mystery", "Psychological", "Thriller", "Police"}), (rings, city), (NIGHT, MIST, BLOOD, INDIGO, SEA)),
    (frozenset({"Sci-Fi"}), (horizon, city, facets), (NEON, DUSK, NIGHT, LILAC)),
    (frozenset({"Demons"}), (gate, moon), (DUSK, BLOOD, INDIGO, GOLD)),
    (frozenset({"Magic"}), (sigil, sigil, peaks), (LILAC, NIGHT, NEON, BLOOD, SEA)),
    (frozenset({"Fantasy"}), (peaks, pines, gate), (LILAC, FOREST, DUSK, SEA, NIGHT, GOLD)),
    (frozenset({"Supernatural"}), (gate, rings, moon), (DUSK, INDIGO, MIST, SAKURA, SEA)),
    (frozenset({"Martial Arts", "Super Power", "Military"}), (rays, waves), (GOLD, DUSK, STEEL, CANDY)),
    (
        frozenset({"Romance", "Shoujo", "Josei", "Shoujo Ai", "Shounen Ai", "Yaoi", "Yuri"}),
        (petals,),
        (SAKURA, LILAC, MIST, DUSK),
    ),
    (frozenset({"Adventure"}), (peaks, pines), (FOREST, SEA, GOLD, DUSK)),
    (frozenset({"School", "Slice of Life", "Drama"}), (hills, hills, city), (SEA, FOREST, SAKURA, MIST, DUSK)),
    (frozenset({"Kids", "Comedy", "Parody", "Game"}), (confetti,), (CANDY, SEA, SAKURA, GOLD)),
    (frozenset({"Action", "Shounen"}), (rays, city), (DUSK, GOLD, NEON, INDIGO)),
    (frozenset(), (hills, peaks), (MIST, SEA, LILAC, GOLD)),
]
