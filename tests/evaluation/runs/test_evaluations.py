"""Measuring a trained run's model on people whom its training left out, and comparing runs by it."""

import numpy as np
import pytest

from catalog.models import Anime
from common import locks
from evaluation import jobs, tasks
from evaluation.models import Evaluation, PaperReport
from evaluation.offline.glossary import ENTRIES
from evaluation.runs import services
from evaluation.runs.keys import BASELINE, MAIN
from recommender.engine.artifact import load_artifact
from recommender.engine.holdout import held_out_users, mixed
from recommender.engine.ratings import RatingMatrix
from recommender.models import TrainingRun
from recommender.runs import pipeline
from recommender.serving.models import artifacts
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("artifacts_dir")]
S = Evaluation.State


@pytest.fixture
def community() -> list[int]:
    """Forty anime of two kinds, and 120 raters, each fond of one kind."""
    rng = np.random.default_rng(0)
    syllables = [consonant + vowel for consonant in "bdgkmnprst" for vowel in "aeiou"]
    anime = [factories.anime("".join(rng.choice(syllables, 4))).pk for _ in range(40)]
    for number in range(120):
        fond = anime[:20] if number % 2 else anime[20:]
        factories.member({int(i): 9 for i in rng.choice(fond, 12, replace=False)} | {anime[0]: 5})
    return anime


def ndcg(evaluation: Evaluation, method: str) -> float:
    mean = evaluation.mean("ndcg@10", method)
    assert mean is not None
    return mean


def trained(family: str = "paper", **config: object) -> TrainingRun:
    settings = {"paper": {"factors": 4, "epochs": 8, "batch_size": 64}, "history": {"factors": 8, "epochs": 2}}
    run = TrainingRun.objects.create(family=family, config={**settings[family], **config})
    pipeline.execute(run.pk)
    run.refresh_from_db()
    assert run.error == ""
    return run


def test_a_run_is_measured_on_those_whom_it_left_out(community: list[int]) -> None:
    run = trained()
    left_out = load_artifact(run.artifact_path).arrays[artifacts.HELD_OUT]
    assert len(left_out) == run.counts["held_out_users"] == 12
    assert not set(left_out) & set(load_artifact(run.artifact_path).arrays["user_ids"])

    evaluation = services.evaluate_run(run)
    assert (evaluation.error, evaluation.state, evaluation.users) == ("", S.DONE, 12)
    assert evaluation.per_user["users"] == sorted(left_out.tolist())
    assert evaluation.data_fingerprint
    assert evaluation.seconds is not None
    keys = [method["key"] for method in evaluation.methods]
    assert keys == [BASELINE, "popularity", MAIN, "weighted_average_euclidean", "kmeans", "gmm"]
    for method in evaluation.methods:
        assert set(method["metrics"]) | set(method["beyond_accuracy"]) <= set(ENTRIES)
        for mean, low, high in method["metrics"].values():
            assert 0 <= low <= mean <= high <= 1
    values = evaluation.per_user["ndcg@10"][MAIN]
    assert np.mean(values) == pytest.approx(ndcg(evaluation, MAIN), abs=1e-5)


def test_the_same_seed_gives_the_same_numbers_and_another_other_halves(community: list[int]) -> None:
    run = trained()
    first = services.evaluate_run(run, seed=3)
    numbers = ("users", "differences", "per_user", "data_fingerprint")
    before = {name: getattr(first, name) for name in numbers}
    again = services.evaluate_run(run, seed=3, again=True)
    assert again.pk == first.pk
    assert (again.started_at, again.finished_at) > (first.started_at, first.finished_at)
    assert {name: getattr(again, name) for name in numbers} == before
    assert [m["metrics"] for m in again.methods] == [m["metrics"] for m in first.methods]
    assert services.evaluate_run(run, seed=4).per_user != first.per_user


def test_what_was_measured_is_not_measured_twice(community: list[int]) -> None:
    run = trained()
    first = services.evaluate_run(run)
    tasks.evaluate(first.pk)
    assert services.evaluate_run(run).finished_at == first.finished_at
    assert services.request_evaluation(run).finished_at == first.finished_at
    assert Evaluation.objects.count() == 1


def test_runs_of_both_families_are_compared_on_the_same_people(community: list[int]) -> None:
    paper, history = services.evaluate_run(trained()), services.evaluate_run(trained("history"))
    assert (history.error, history.state) == ("", S.DONE)
    assert [method["key"] for method in history.methods] == [BASELINE, "popularity", MAIN, "two_tower"]
    assert history.per_user["users"] == paper.per_user["users"]
    assert ndcg(history, BASELINE) == ndcg(paper, BASELINE)
    # Who likes one kind of anime is recognised by half of what they rated.
    assert ndcg(history, MAIN) > 1.2 * ndcg(history, BASELINE)
    assert history.mean("ndcg@10", "no such method") is None
    compared = services.compare(history, paper)
    assert compared is not None
    assert compared.users == 12
    expected = ndcg(history, MAIN) - ndcg(paper, MAIN)
    assert compared.comparison.difference == pytest.approx(expected, abs=1e-5)
    assert compared.comparison.low <= expected <= compared.comparison.high
    assert services.compare(history, services.evaluate_run(paper.run, seed=9)) is None


def test_new_people_do_not_change_the_halves_of_those_measured_before(community: list[int]) -> None:
    before = services.evaluate_run(trained())
    for i in range(30):
        factories.member({community[i % 20]: 7, community[20 + i % 20]: 8, community[0]: 3, community[-1]: 4})
    after = services.evaluate_run(trained())
    assert after.users == 15
    common = set(before.per_user["users"]) & set(after.per_user["users"])
    assert len(common) >= 9
    # The first run's model, measured again on the larger data, gets the same value for the same person.
    again = services.evaluate_run(before.run, again=True)
    kept = dict(zip(again.per_user["users"], again.per_user["ndcg@10"][MAIN], strict=True))
    assert dict(zip(before.per_user["users"], before.per_user["ndcg@10"][MAIN], strict=True)) == kept


def test_a_failure_says_why_and_can_be_tried_again(community: list[int]) -> None:
    run = factories.published_model({pk: [1.0] for pk in community})
    evaluation = services.evaluate_run(run)
    assert evaluation.state == S.FAILED
    assert "trained on everybody" in evaluation.error
    assert services.evaluate_run(run).state == S.FAILED
    with pytest.raises(ValueError, match="no model on disk"):
        services.evaluate_run(TrainingRun.objects.create())


def test_one_worker_at_a_time_and_a_lost_ones_work_is_done_by_the_next(community: list[int]) -> None:
    run = trained()
    evaluation = Evaluation.objects.create(run=run, state=S.RUNNING)
    assert services.evaluate_run(run).state == S.DONE
    assert jobs.queue_again(evaluation)
    assert not jobs.queue_again(evaluation)
    assert locks.try_acquire(run.pk)  # a training's lock is another
    try:
        assert services.evaluate_run(run).state == S.DONE
    finally:
        locks.release(run.pk)


def test_anime_that_left_the_catalogue_do_no_harm(community: list[int]) -> None:
    run = trained("history")
    Anime.objects.filter(pk__in=community[5:10]).delete()
    evaluation = services.evaluate_run(run)
    assert (evaluation.error, evaluation.state) == ("", S.DONE)


def test_a_tenth_is_held_out_at_most_500_and_the_same_when_others_come() -> None:
    def ratings(n: int) -> RatingMatrix:
        users = np.repeat(np.arange(n), 2)
        return RatingMatrix.from_arrays(users, np.tile([1, 2], n), np.full(2 * n, 8))

    few, many = held_out_users(ratings(200)), held_out_users(ratings(9000))
    assert (len(few), len(many)) == (20, 500)
    assert len(held_out_users(ratings(9))) == 0
    assert len(np.intersect1d(held_out_users(ratings(200)), held_out_users(ratings(210)))) >= 18
    single = RatingMatrix.from_arrays(np.arange(100), np.ones(100), np.full(100, 8))
    assert len(held_out_users(single)) == 0


def test_the_hash_spreads_ids_and_depends_on_the_seed() -> None:
    ids = np.arange(-5000, 5000)
    shares = mixed(ids, seed=0) / 2.0**64
    assert abs(shares.mean() - 0.5) < 0.02
    assert len(np.unique(mixed(ids, seed=0))) == len(ids)
    assert abs(np.corrcoef(shares, mixed(ids, seed=1) / 2.0**64)[0, 1]) < 0.05


def test_what_no_worker_holds_is_sent_again(community: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    run = factories.published_model({pk: [1.0] for pk in community})
    waiting, running, done = (Evaluation.objects.create(run=run, seed=seed) for seed in range(3))
    Evaluation.objects.filter(pk=running.pk).update(state=S.RUNNING)
    Evaluation.objects.filter(pk=done.pk).update(state=S.DONE, finished_at=done.created_at)
    report = PaperReport.objects.create(run=run)
    sent: list[tuple[str, int]] = []
    for task in (tasks.evaluate, tasks.reproduce_paper):
        monkeypatch.setattr(task, "apply_async", lambda args, expires, name=task.name: sent.append((name, *args)))
    assert locks.try_acquire(running.pk, services.EVALUATIONS)
    try:
        tasks.resume_interrupted()
    finally:
        locks.release(running.pk, services.EVALUATIONS)
    assert sent == [(tasks.evaluate.name, waiting.pk), (tasks.reproduce_paper.name, report.pk)]
    sent.clear()
    tasks.resume_interrupted()
    assert sorted(sent)[:2] == [(tasks.evaluate.name, waiting.pk), (tasks.evaluate.name, running.pk)]
