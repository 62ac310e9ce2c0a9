"""What people with a taste near one's own love, counted."""

import hashlib
from collections.abc import Collection, Mapping

from django.core.cache import cache
from django.db import connection

from catalog.taste.also_liked import LIKED

#: By how many of one's own favourites people are compared, and how many people are looked at and kept.
FAVOURITES, MOST_PEOPLE, NEAREST = 20, 3000, 40
#: Two who agree on fewer are near by chance; what fewer of the nearest love is one person's fancy.
LEAST_SHARED, LEAST_PEOPLE = 3, 3
LOVED = 9
KEPT_S = 3600

# As with `also_liked`: what everybody loves is loved nearby too, and says little.
_QUERY = """
WITH met AS (
    SELECT anime_ids, scores FROM catalog_member WHERE anime_ids && %(mine)s::int[] LIMIT %(most)s
), compared AS (
    SELECT anime_ids, scores, cardinality(anime_ids) AS size, (
        SELECT count(*) FROM unnest(anime_ids, scores) AS given (anime, score)
        WHERE anime = ANY (%(mine)s::int[]) AND score >= %(liked)s
    ) AS shared FROM met
), nearest AS (
    SELECT anime_ids, scores FROM compared WHERE shared >= %(least_shared)s
    ORDER BY shared / sqrt(size) DESC, size LIMIT %(nearest)s
), counted AS (
    SELECT anime, count(*) AS people FROM nearest, unnest(anime_ids, scores) AS given (anime, score)
    WHERE score >= %(loved)s GROUP BY anime HAVING count(*) >= %(least)s
), known AS (
    SELECT anime_id, sum(counts[9] + counts[10]) AS at_all FROM catalog_memberscores GROUP BY anime_id
)
SELECT anime FROM counted LEFT JOIN known ON anime_id = anime
ORDER BY people / sqrt(greatest(at_all, people)) DESC, anime LIMIT %(k)s
"""


def loved_nearby(ratings: Mapping[int, int], *, known: Collection[int], version: str, k: int = 60) -> list[int]:
    """Ids of what the people nearest to these ratings love most, without those of `known`.

    Kept for an hour while the favourites and `version`, of the data sets, are the same; else one query. Nothing with
    fewer favourites than LEAST_SHARED.
    """
    best = sorted((pk for pk, score in ratings.items() if score >= LIKED), key=lambda pk: (-ratings[pk], pk))
    mine = sorted(best[:FAVOURITES])
    if len(mine) < LEAST_SHARED:
        return []
    key = "near-" + hashlib.sha256(f"{version}{mine}".encode()).hexdigest()
    found: list[int] | None = cache.get(key)
    if found is None:
        values: dict[str, list[int] | int] = {
            "mine": mine,
            "most": MOST_PEOPLE,
            "liked": LIKED,
            "least_shared": LEAST_SHARED,
            "nearest": NEAREST,
            "loved": LOVED,
            "least": LEAST_PEOPLE,
            "k": 10 * k,
        }
        with connection.cursor() as cursor:
            cursor.execute(_QUERY, values)
            found = [anime for (anime,) in cursor.fetchall()]
        cache.set(key, found, KEPT_S)
    return [pk for pk in found if pk not in known][:k]
