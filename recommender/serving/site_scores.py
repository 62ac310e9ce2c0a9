"""How the site's own people score the anime, beside the score of the community that the catalogue came with."""

from django.db import connection, transaction
from django.db.models import Avg, Count
from django.utils import timezone

from catalog.models import Anime, Rating
from recommender.models import SiteScore


def refresh() -> int:
    """Bring `SiteScore` up to the ratings that there are; return how many anime changed.

    Processes read the scores again with the catalogue, whose version these anime's `updated_at` changes.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Of two that refresh at once, the second waits and finds nothing to do.
            cursor.execute(f"LOCK TABLE {SiteScore._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        now_is = {
            row["anime_id"]: (row["count"], row["mean"])
            for row in Rating.objects.order_by().values("anime_id").annotate(count=Count("pk"), mean=Avg("score"))
        }
        was = {row.anime_id: (row.ratings, row.mean) for row in SiteScore.objects.all()}
        changed = {pk for pk in now_is.keys() | was.keys() if now_is.get(pk) != was.get(pk)}
        SiteScore.objects.filter(anime_id__in=changed - now_is.keys()).delete()
        SiteScore.objects.bulk_create(
            [SiteScore(anime_id=pk, ratings=now_is[pk][0], mean=now_is[pk][1]) for pk in changed & now_is.keys()],
            update_conflicts=True,
            unique_fields=["anime"],
            update_fields=["ratings", "mean"],
        )
        Anime.objects.filter(pk__in=changed).update(updated_at=timezone.now())
    return len(changed)
