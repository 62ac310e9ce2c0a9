"""How often workers were lost over a run: one that takes its worker down each time is not tried for ever."""

from recommender.models import TrainingRun
from recommender.runs import workers

#: Attempts in a row that may end without a finished epoch.
MAX_FRUITLESS = 5


class GivenUp(Exception):
    """The run was tried too often; the message says what to look at."""


def begin(run: TrainingRun) -> None:
    """Count an attempt of this worker. Raises GivenUp when there were too many."""
    if run.fruitless_attempts >= MAX_FRUITLESS:
        raise GivenUp(
            f"{run.fruitless_attempts} workers were lost over it, one after the other, without finishing an epoch. "
            "Look at the memory of the machine and at the worker's log."
        )
    run.fruitless_attempts += 1
    run.worker = workers.name()
    run.save(update_fields=["fruitless_attempts", "worker"])


def take_back(run: TrainingRun) -> None:
    """The attempt ended as it should, without the run being any further."""
    run.fruitless_attempts -= 1
    run.save(update_fields=["fruitless_attempts"])
