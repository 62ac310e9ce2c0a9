"""The dashboard of an experiment in the admin: its results as charts, tables and lists side by side."""

from collections.abc import Sequence
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from common.charts import Bars, Text, bar_chart
from evaluation.judging.models import Experiment, Judgement
from evaluation.judging.results.summary import SCORES, Results, extremes, results

#: Of a list shown beside others.
ITEMS_SHOWN = 5


def context(experiment: Experiment) -> dict[str, Any]:
    """What the template of the dashboard shows."""
    found = results(experiment)
    best, worst = extremes(experiment)
    return {
        "experiment": experiment,
        "results": found,
        "charts": _charts(found) if found.n_lists else [],
        "effects": [(found.labels[one.contestant], one) for one in found.effects],
        "win_rates": [(found.labels[one.first], found.labels[one.second], one) for one in found.win_rates],
        "means": [(found.labels[one.contestant], one) for one in found.means if not one.stratum],
        "costs": [(found.labels[one.contestant], one) for one in found.costs],
        "beside": [(_("The best lists"), _shown(best)), (_("The worst lists"), _shown(worst))],
    }


def _shown(lists: Sequence[Judgement]) -> list[tuple[Judgement, list[Any]]]:
    return [(one, list(one.items.all())[:ITEMS_SHOWN]) for one in lists]


def _charts(found: Results) -> list[tuple[str, SafeString]]:
    drawn = [
        (_("Overall scores"), _distribution(found)),
        (_("By how many ratings the lists were made from"), _by_stratum(found)),
        (_("By genre of the recommended anime"), _by_genre(found)),
    ]
    return [(title, mark_safe(chart)) for title, chart in drawn if chart]  # noqa: S308  charts escape their words


def _distribution(found: Results) -> str:
    text = Text(
        title=_("Overall scores"),
        description=_("The share of each contestant's lists with each score."),
        x_label=_("score"),
        y_label=_("share of lists"),
    )
    bars = [Bars(found.labels[pk], shares) for pk, shares in found.shares.items()]
    return bar_chart(text, [str(score) for score in SCORES], bars)


def _by_stratum(found: Results) -> str:
    strata = list(dict.fromkeys(one.stratum for one in found.means if one.stratum))
    of = {(one.contestant, one.stratum): one.score for one in found.means}
    if not strata or any((pk, stratum) not in of for pk in found.shares for stratum in strata):
        return ""
    text = Text(
        title=_("By how many ratings the lists were made from"),
        description=_("Mean overall score of each contestant, with 95 % intervals over people."),
        x_label=_("ratings"),
        y_label=_("mean score"),
    )
    bars = [
        Bars(
            found.labels[pk],
            [of[pk, stratum].mean for stratum in strata],
            [(of[pk, stratum].low, of[pk, stratum].high) for stratum in strata],
        )
        for pk in found.shares
    ]
    return bar_chart(text, strata, bars)


def _by_genre(found: Results) -> str:
    of = {(one.genre, one.contestant): one.score for one in found.genres}
    genres = list(dict.fromkeys(one.genre for one in found.genres))
    if not genres:
        return ""
    text = Text(
        title=_("By genre of the recommended anime"),
        description=_("Mean score of each contestant's anime of a genre; no bar where it has none."),
        x_label=_("genre"),
        y_label=_("mean score"),
    )
    bars = [Bars(found.labels[pk], [of.get((genre, pk), 0.0) for genre in genres]) for pk in found.shares]
    return bar_chart(text, genres, bars)
