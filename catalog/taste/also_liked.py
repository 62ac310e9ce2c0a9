"""What the people who liked one anime liked too, counted."""

from django.core.cache import cache
from django.db import connection

#: "Liked" is a score of at least this.
LIKED = 8
#: Counted are so many of those who liked it; more change nothing that one could see.
MOST_PEOPLE = 2000
#: What fewer of them liked is chance, and would tell of single people.
LEAST_PEOPLE = 5
KEPT_S = 24 * 3600

# An anime that everybody likes is liked by these people too: dividing by the root of how many like it at all (the
# cosine of the two columns of likes) brings up what they like more than others do.
_QUERY = """
WITH people AS (
    SELECT anime_ids, scores FROM catalog_member
    WHERE scores[array_position(anime_ids, %(anime)s)] >= %(liked)s LIMIT %(most)s
), likes AS (
    SELECT liked.anime FROM people, unnest(anime_ids, scores) AS liked (anime, score) WHERE score >= %(liked)s
    UNION ALL
    SELECT theirs.anime_id FROM catalog_rating theirs WHERE theirs.score >= %(liked)s AND theirs.user_id IN (
        SELECT user_id FROM catalog_rating WHERE anime_id = %(anime)s AND score >= %(liked)s LIMIT %(most)s
    )
), counted AS (
    SELECT anime, count(*) AS together FROM likes WHERE anime <> %(anime)s
    GROUP BY anime HAVING count(*) >= %(least)s
), known AS (
    SELECT anime_id, sum(counts[8] + counts[9] + counts[10]) AS at_all FROM catalog_memberscores GROUP BY anime_id
)
SELECT anime FROM counted LEFT JOIN known ON anime_id = anime
ORDER BY together / sqrt(greatest(at_all, together)) DESC, anime LIMIT %(k)s
"""


def also_liked(anime_id: int, *, version: str, k: int = 60) -> list[int]:
    """Ids, the most telling first. Kept for a day while `version`, of the data sets, is the same; else one query."""
    key = f"also-liked-{anime_id}-{version}"
    found: list[int] | None = cache.get(key)
    if found is None:
        values = {"anime": anime_id, "liked": LIKED, "most": MOST_PEOPLE, "least": LEAST_PEOPLE, "k": k}
        with connection.cursor() as cursor:
            cursor.execute(_QUERY, values)
            found = [anime for (anime,) in cursor.fetchall()]
        cache.set(key, found, KEPT_S)
    return found
