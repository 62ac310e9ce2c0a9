"""What becomes of lists of recommendations: which were served, what clients say of them, and what people then rate."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from catalog.models import User
from recommender.engine.interleaving import sign_test
from recommender.models import ListEvent, ServedList
from recommender.serving.lists import RecommendationList

#: A rating of a recommended anime counts as the list's for so long.
RATED_WITHIN = timedelta(days=7)
KEPT = timedelta(days=90)


@dataclass(frozen=True)
class Said:
    """One event, as a client sends it."""

    list_id: uuid.UUID
    anime_id: int
    kind: str


class UnknownList(ValueError):
    """Some events are of lists that are not there or another user's, or of anime not on them; `places` are those."""

    def __init__(self, places: list[int]) -> None:
        super().__init__(f"no such list, or no such anime on it: events {places}")
        self.places = places


@dataclass(frozen=True)
class ModelReport:
    """What became of one model's lists. `rated` counts ratings of people with an account, within RATED_WITHIN."""

    model_version: str
    lists: int
    impressions: int
    clicks: int
    dismissed: int
    rated: int
    mean_rating: float | None

    @property
    def click_rate(self) -> float | None:
        """Clicked of seen; None while no client says what is seen."""
        return self.clicks / self.impressions if self.impressions else None


@dataclass(frozen=True)
class DuelReport:
    """Two models in one list: for how many people more of the one's anime were clicked or rated."""

    model_version: str
    rival_version: str
    wins: int
    losses: int
    ties: int

    @property
    def p_value(self) -> float:
        """How likely so uneven a result is when neither is better (two-sided sign test over people)."""
        return sign_test(self.wins, self.losses)

    @property
    def better(self) -> str | None:
        """The version that is better at 5 %, or None."""
        if self.p_value >= 0.05:
            return None
        return self.model_version if self.wins > self.losses else self.rival_version


def record(found: RecommendationList, user: User | None) -> uuid.UUID:
    """Keep the list, and give the id by which events name it. One query."""
    served = ServedList.objects.create(
        user=user,
        path=found.path,
        method=found.method,
        model_version=found.model_version or "",
        anime_ids=[item.anime_id for item in found.items],
        rival_version=found.rival_version or "",
        teams=list(found.teams),
    )
    return served.key


@transaction.atomic
def say(events: Iterable[Said], *, user: User | None) -> int:
    """Write the events, all or none, and each once however often it is said; how many were sent.

    Events of a list that was made for a user are that user's to send. Raises UnknownList.
    """
    events = list(events)
    keys = {event.list_id for event in events}
    lists = {served.key: served for served in ServedList.objects.filter(key__in=keys)}
    faults = [
        place
        for place, event in enumerate(events)
        if (served := lists.get(event.list_id)) is None
        or (served.user_id is not None and served.user_id != (user.pk if user else None))
        or event.anime_id not in served.anime_ids
    ]
    if faults:
        raise UnknownList(faults)
    ListEvent.objects.bulk_create(
        [ListEvent(served_list=lists[e.list_id], anime_id=e.anime_id, kind=e.kind) for e in events],
        ignore_conflicts=True,
    )
    return len(events)


def forget_old(older_than: timedelta = KEPT) -> int:
    """Delete lists, with their events, that nobody asks about any more; how many."""
    return (
        ServedList.objects.filter(created_at__lt=timezone.now() - older_than).delete()[1].get(ServedList._meta.label, 0)
    )


# A rating is the last list's that had the anime before, of the same person.
_RATED = """
    SELECT DISTINCT ON (r.id) l.id AS list, r.anime_id, r.score, r.user_id
    FROM recommender_servedlist l
    JOIN catalog_rating r ON r.user_id = l.user_id AND r.anime_id = ANY (l.anime_ids)
     AND r.rated_at > l.created_at AND r.rated_at <= l.created_at + make_interval(secs => %(within)s)
    ORDER BY r.id, l.created_at DESC
"""
_BY_MODEL = f"""
    WITH rated AS ({_RATED}), said AS (
        SELECT served_list_id AS list,
            COUNT(*) FILTER (WHERE kind = 'impression') AS impressions,
            COUNT(*) FILTER (WHERE kind = 'click') AS clicks,
            COUNT(*) FILTER (WHERE kind = 'dismissed') AS dismissed
        FROM recommender_listevent GROUP BY 1
    ), ratings AS (SELECT list, COUNT(*) AS n, SUM(score) AS total FROM rated GROUP BY 1)
    SELECT l.model_version, COUNT(*), COALESCE(SUM(s.impressions), 0)::int, COALESCE(SUM(s.clicks), 0)::int,
        COALESCE(SUM(s.dismissed), 0)::int, COALESCE(SUM(r.n), 0)::int, (SUM(r.total) / NULLIF(SUM(r.n), 0))::float
    FROM recommender_servedlist l LEFT JOIN said s ON s.list = l.id LEFT JOIN ratings r ON r.list = l.id
    WHERE l.rival_version = '' GROUP BY 1 ORDER BY 2 DESC, 1
"""  # noqa: S608  no input
# One vote a person, since the lists of one person are much alike; without an account each list is a person's.
_DUELS = f"""
    WITH chosen AS (
        SELECT served_list_id AS list, anime_id FROM recommender_listevent WHERE kind = 'click'
        UNION SELECT list, anime_id FROM ({_RATED}) rated
    ), votes AS (
        SELECT l.model_version, l.rival_version, COALESCE(l.user_id, -l.id) AS who,
            SUM(CASE l.teams[array_position(l.anime_ids, c.anime_id)] WHEN 0 THEN 1 ELSE -1 END) AS lead
        FROM recommender_servedlist l JOIN chosen c ON c.list = l.id
        WHERE l.rival_version <> '' GROUP BY 1, 2, 3
    )
    SELECT model_version, rival_version, COUNT(*) FILTER (WHERE lead > 0), COUNT(*) FILTER (WHERE lead < 0),
        COUNT(*) FILTER (WHERE lead = 0)
    FROM votes GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608  no input


def report() -> tuple[list[ModelReport], list[DuelReport]]:
    """What became of the lists of each model, and of those that two models made together."""
    within = {"within": RATED_WITHIN.total_seconds()}
    with connection.cursor() as cursor:
        cursor.execute(_BY_MODEL, within)
        models = [ModelReport(*row) for row in cursor.fetchall()]
        cursor.execute(_DUELS, within)
        return models, [DuelReport(*row) for row in cursor.fetchall()]
