"""What tests of experiments share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from pytest_django import Settings

from recommender.models import TrainingRun
from tests import factories
from tests.evaluation.judging.llm_server import LLMServer, serving


@pytest.fixture
def judge_server(settings: Settings) -> Iterator[LLMServer]:
    """A judge that answers everything, as the one that is configured: 100 tokens in and 50 out cost 0.0006."""
    cache.clear()
    with serving() as server:
        settings.JUDGE_BASE_URL, settings.JUDGE_MODEL, settings.JUDGE_API_KEY = server.url, "judge-7b", "sk-secret"
        settings.JUDGE_PRICE_INPUT, settings.JUDGE_PRICE_OUTPUT = "1", "10"
        settings.JUDGE_PER_MINUTE, settings.JUDGE_CONCURRENCY = 100_000, 16
        yield server


@pytest.fixture
def trained(artifacts_dir: Path) -> TrainingRun:
    """A model of 15 mild and 15 wild anime that left out six people, each with four ratings of one kind and one of
    the other."""
    mild, wild = ([factories.anime(f"{kind} {letter}").pk for letter in "abcdefghijklmno"] for kind in ("Mild", "Wild"))
    left_out = []
    for number in range(6):
        fond, other = (mild, wild) if number % 2 else (wild, mild)
        rated = {fond[number + i]: 9 for i in range(4)} | {other[number]: 2}
        left_out.append(-factories.member(rated).pk)
    vectors = {pk: [1.0, 0.01 * i] for i, pk in enumerate(mild)} | {pk: [0.01 * i, 1.0] for i, pk in enumerate(wild)}
    return factories.published_model(vectors, held_out=left_out)
