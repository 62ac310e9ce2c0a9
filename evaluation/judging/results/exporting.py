"""An experiment as a file, written while it is read: CSV with a row for each judged anime, JSON with all there is.

People are numbers of the experiment alone, not names.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from evaluation.judging.models import Experiment, Judgement, Review

AT_ONCE = 500
JUDGEMENT_COLUMNS = (
    "judgement", "contestant", "against", "person", "ratings", "repeat", "state", "reason", "overall", "preferred",
    "summary", "ndcg@10", "judge", "prompt_version", "attempts", "tokens_in", "tokens_out", "cost", "latency_s",
)  # fmt: skip
ITEM_COLUMNS = (
    "position", "anime_id", "title", "score", "explanation", "same_franchise",
    "reviews", "mean_review_score", "reviews_that_agree",
)  # fmt: skip
#: With which a spreadsheet takes a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(experiment: Experiment) -> Iterator[str]:
    """The lines of the file. A judgement without items, such as of a pair, has one row with empty columns of items."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)

    def line(row: list[Any]) -> str:
        writer.writerow([_harmless(cell) for cell in row])
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    yield line([*JUDGEMENT_COLUMNS, *ITEM_COLUMNS])
    for judgement in _judgements(experiment):
        own = _of_judgement(judgement)
        items = [_of_item(item) for item in judgement.items.all()] or [{}]
        for item in items:
            reviews = item.pop("reviews", [])
            summed = {
                "reviews": len(reviews),
                "mean_review_score": sum(one["score"] for one in reviews) / len(reviews) if reviews else None,
                "reviews_that_agree": sum(bool(one["agrees"]) for one in reviews),
            }
            row = {**own, **item, **(summed if item else {})}
            yield line([row.get(name) for name in (*JUDGEMENT_COLUMNS, *ITEM_COLUMNS)])


def as_json(experiment: Experiment) -> Iterator[str]:
    """One object: the experiment, and its judgements with what was asked, answered, and said of it by people."""
    about = {
        field.name: getattr(experiment, field.attname)
        for field in Experiment._meta.concrete_fields
        if field.name != "created_by"
    }
    about["contestants"] = list(experiment.contestants.order_by("pk").values("id", "kind", "label", "run"))
    yield f'{{"experiment": {_text(about)}, "judgements": ['
    separator = ""
    for judgement in _judgements(experiment):
        row = _of_judgement(judgement) | {
            "recommended": judgement.recommended,
            "shown": judgement.shown,
            "watched": judgement.subject.watched,
            "metrics": judgement.metrics,
            "messages": judgement.messages,
            "raw_answer": judgement.raw_answer,
            "items": [_of_item(item) for item in judgement.items.all()],
        }
        yield separator + _text(row)
        separator = ",\n"
    yield "]}\n"


def _judgements(experiment: Experiment) -> Iterator[Judgement]:
    rows = experiment.judgements.order_by("pk").select_related("contestant", "against", "subject")
    return rows.prefetch_related("items__anime", "items__reviews").iterator(AT_ONCE)


def _of_judgement(one: Judgement) -> dict[str, Any]:
    return {
        "judgement": one.pk,
        "contestant": one.contestant.label,
        "against": one.against.label if one.against else None,
        "person": one.subject_id,
        "ratings": one.subject.stratum,
        "repeat": one.repeat,
        "state": one.state,
        "reason": one.reason,
        "overall": one.overall,
        "preferred": one.preferred,
        "summary": one.summary,
        "ndcg@10": one.metrics.get("ndcg@10"),
        "judge": one.model,
        "prompt_version": one.prompt_version,
        "attempts": one.attempts,
        "tokens_in": one.tokens_in,
        "tokens_out": one.tokens_out,
        "cost": one.cost,
        "latency_s": one.latency_s,
    }


def _of_item(item: Any) -> dict[str, Any]:
    done = [review for review in item.reviews.all() if review.state == Review.State.DONE]
    return {
        "position": item.position,
        "anime_id": item.anime_id,
        "title": item.anime.name,
        "score": item.score,
        "explanation": item.explanation,
        "same_franchise": item.same_franchise,
        "reviews": [{"score": one.score, "agrees": one.agrees, "comment": one.comment} for one in done],
    }


def _text(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


def _harmless(cell: Any) -> Any:
    """Text that a spreadsheet would run as a formula, marked as text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
