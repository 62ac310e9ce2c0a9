"""What a judgement asks, and whom."""

import hashlib
import itertools
import json
from dataclasses import replace
from typing import Any, NamedTuple, cast

from django.core.exceptions import ImproperlyConfigured

from catalog.models import Anime
from evaluation.judging.llm.endpoint import Endpoint
from evaluation.judging.llm.prompts import PROMPT_VERSION, Language, Prompt, Title, Watched, build, build_pair
from evaluation.judging.models import Experiment, Judgement

Fields = dict[str, Any]


class NoScore(Exception):
    """There will be no score, because of what the message says."""


class Question(NamedTuple):
    """What the judge is asked.

    Attributes:
        ids: the anime to be scored, as shown; none for a pair.
        fields: what the judgement keeps of it.
    """

    prompt: Prompt
    ids: list[int]
    fields: Fields


def endpoint_of(experiment: Experiment) -> Endpoint:
    """The judge of an experiment, or NoScore where none is configured."""
    try:
        endpoint = Endpoint.from_env()
    except ImproperlyConfigured as error:
        raise NoScore(f"the judge is configured wrongly: {error}") from error
    if endpoint is None:
        raise NoScore("no judge is configured where the worker runs: set JUDGE_BASE_URL and JUDGE_MODEL")
    return replace(endpoint, model=experiment.judge_model or endpoint.model)


def question_of(judgement: Judgement, endpoint: Endpoint) -> Question:
    """What a judgement asks of an endpoint.

    The order in which a list is shown is the same for every contestant, so that equal lists are one request.

    Raises:
        NoScore: it cannot be asked.
    """
    if judgement.prompt_version != PROMPT_VERSION:
        raise NoScore(
            f"it was prepared for version {judgement.prompt_version} of the prompt, which is {PROMPT_VERSION} now: "
            "launch a new experiment"
        )
    experiment, subject = judgement.experiment, judgement.subject
    recommended: list[list[int]] = judgement.recommended if judgement.against_id else [judgement.recommended]
    anime = Anime.objects.with_genres().in_bulk([*subject.watched, *itertools.chain(*recommended)])
    if missing := [i for ids in recommended for i in ids if i not in anime]:
        raise NoScore(f"anime {missing[0]} of the list is not in the catalogue any more")
    ratings = dict(subject.history)
    watched = [Watched(i, anime[i].name, _genres(anime[i]), ratings.get(i)) for i in subject.watched if i in anime]
    familiar = set(judgement.same_franchise)
    lists = [[Title(i, anime[i].name, _genres(anime[i]), i in familiar) for i in ids] for ids in recommended]
    person = subject.account_id or -(subject.member_id or 0)
    drawn = hashlib.sha256(f"{experiment.seed} {person} {judgement.repeat}".encode()).digest()
    language, seed = cast(Language, experiment.language), int.from_bytes(drawn[:8], "big")
    try:
        if judgement.against_id:
            prompt = build_pair(watched, *lists, language=language, seed=seed)
        else:
            prompt = build(watched, *lists, language=language, seed=seed)
    except ValueError as error:
        raise NoScore(str(error)) from error
    first = len(recommended[0]) if judgement.against_id else 0
    fields: Fields = {
        "messages": list(prompt.messages),
        "model": endpoint.model,
        "shown": [prompt.order[:first], prompt.order[first:]] if first else prompt.order,
        "request_hash": _request_hash(prompt, judgement.repeat, endpoint),
    }
    return Question(prompt, [] if first else list(prompt.order), fields)


def _genres(anime: Anime) -> list[str]:
    return sorted(genre.name for genre in anime.genres.all())


def _request_hash(prompt: Prompt, repeat: int, endpoint: Endpoint) -> str:
    """Equal for requests of which one answer will do. A repeat is there to be asked anew."""
    asked = [endpoint.base_url, endpoint.model, endpoint.max_tokens, prompt.messages, repeat]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
