"""The dashboard of an experiment in a real browser: accessible in every look."""

from typing import Any

from evaluation.judging.review import reviewing
from tests import factories
from tests.browser.chromium import PASSWORD
from tests.browser.conftest import NewContext, sign_in
from tests.browser.test_every_page import every_look, problems
from tests.evaluation.judging import answers


@every_look
def test_results_of_an_experiment_are_accessible(
    new_context: NewContext, transactional_db: None, look: dict[str, Any]
) -> None:
    experiment = answers.small(n_people=4)
    first, second, _random = experiment.contestants.all()
    for person in experiment.subjects.all():
        answers.preferred(first, second, person, "first")
        answers.preferred(second, first, person, "second")
    reviewer = answers.reviewer("mika")
    for score in (7, 5, 3):
        review = reviewing.next_review(reviewer=reviewer, experiment=experiment)
        assert review is not None
        reviewing.rate(review=review, score=score)
        reviewing.conclude(review=review, agrees=score > 4)
    factories.staff(username="boss", password=PASSWORD)
    page = new_context(reduced_motion="reduce", **look).new_page()
    sign_in(page, "boss")
    page.goto(f"/admin/evaluation/experiment/{experiment.pk}/results/")
    # The admin's own menu moves its pages aside while they load, on every one of them.
    found = [problem for problem in problems(page, "the results") if "moved while loading" not in problem]
    assert not found, "\n".join(found)
