"""What staff do with experiments: launch, cancel, go on."""

import logging

from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common import audit, locks
from evaluation.judging.llm.endpoint import Endpoint
from evaluation.judging.models import Experiment, Judgement
from evaluation.judging.running import sending

logger = logging.getLogger(__name__)

#: Judgements of one experiment.
MAX_JUDGEMENTS = 20_000
#: Models in one experiment.
MAX_RUNS = 6


class NotPossible(ValueError):
    """What was asked for cannot be done with the experiment; the message says why and what to do."""


def endpoint() -> Endpoint:
    """The judge that is configured.

    Raises:
        NotPossible: there is none, or its settings are wrong.
    """
    try:
        found = Endpoint.from_env()
    except ImproperlyConfigured as error:
        raise NotPossible(str(error)) from error
    if found is None:
        raise NotPossible(_("No judge is configured: set JUDGE_BASE_URL and JUDGE_MODEL."))
    return found


def problem(experiment: Experiment, *, n_runs: int, runs_without_model: int = 0) -> str:
    """What keeps an experiment with so many models from being launched; empty when nothing does."""
    contestants = n_runs + experiment.with_popularity + experiment.with_random
    if not contestants:
        return _("Choose at least one model or control to be judged.")
    if n_runs > MAX_RUNS:
        return ngettext("Choose at most %(count)s model.", "Choose at most %(count)s models.", MAX_RUNS) % {
            "count": MAX_RUNS
        }
    if runs_without_model:
        return _("One of the models has no files on disk any more: choose another.")
    if experiment.pairwise and contestants < 2:
        return _("Pairs need two contestants: choose another model or a control.")
    count = planned(experiment, n_runs)
    if count > MAX_JUDGEMENTS:
        return _("That would be %(count)s judgements, and %(most)s are allowed: take fewer people or repeats.") % {
            "count": count,
            "most": MAX_JUDGEMENTS,
        }
    return ""


def planned(experiment: Experiment, n_runs: int) -> int:
    """How many judgements an experiment with so many models asks for, if there are as many people as it wants."""
    contestants = n_runs + experiment.with_popularity + experiment.with_random
    of_pairs = contestants * (contestants - 1) if experiment.pairwise else 0
    return experiment.n_users * experiment.repeats * (contestants + of_pairs)


def launch(*, experiment: Experiment) -> None:
    """Have a draft prepared by a worker, which then sends its judgements.

    Raises:
        NotPossible: it is no draft, it lacks something, or no judge is configured.
    """
    endpoint()
    with transaction.atomic():
        current = _locked(experiment)
        if current.state != Experiment.State.DRAFT:
            raise NotPossible(_("%(name)s was launched already.") % {"name": current})
        runs = list(current.runs.all())
        if found := problem(current, n_runs=len(runs), runs_without_model=sum(not run.has_artifact for run in runs)):
            raise NotPossible(found)
        current.state, current.error = Experiment.State.PREPARING, ""
        current.save(update_fields=["state", "error"])
        audit.record("experiment.launch", current)
        transaction.on_commit(lambda: sending.send_experiment(experiment.pk))
    experiment.refresh_from_db()


def prepare(experiment_id: int) -> None:
    """Make the rows of an experiment that waits for it, and send its judgements; belongs in a worker.

    What goes wrong makes it a draft again, with the error. Returns at once when another worker is at it.
    """
    from evaluation.judging.running import preparing  # brings in what reads data sets

    with locks.held(experiment_id, sending.EXPERIMENTS) as acquired:
        if not acquired:
            return
        experiment = Experiment.objects.filter(pk=experiment_id, state=Experiment.State.PREPARING).first()
        if experiment is None:
            return
        try:
            preparing.prepare(experiment)
        except (OperationalError, InterfaceError):
            raise  # it stays as it is, and is sent again
        except ValueError as error:
            _back_to_draft(experiment, str(error))
        except Exception as error:
            logger.exception("%s could not be prepared", experiment)
            reason = f"Unexpected {type(error).__name__}: {error}. The worker's log has the details."
            _back_to_draft(experiment, reason)
    sending.send_due()


@transaction.atomic
def cancel(*, experiment: Experiment) -> None:
    """End an experiment now: what has no answer stays without. A request that runs is paid for and dropped.

    Raises:
        NotPossible: it does not run.
    """
    current = _locked(experiment)
    if not current.is_active:
        raise NotPossible(_("%(name)s is not running.") % {"name": current})
    current.state, current.finished_at = Experiment.State.CANCELLED, timezone.now()
    current.save(update_fields=["state", "finished_at"])
    current.judgements.filter(state__in=Judgement.ACTIVE).update(
        state=Judgement.State.CANCELLED, finished_at=timezone.now()
    )
    audit.record("experiment.cancel", current)
    experiment.refresh_from_db()


@transaction.atomic
def resume(*, experiment: Experiment) -> int:
    """Go on with an experiment that has ended: what was cancelled or has no score is asked (again).

    Returns:
        How many judgements that are.

    Raises:
        NotPossible: it runs or was never launched, all is scored, or no judge is configured.
    """
    endpoint()
    current = _locked(experiment)
    if current.state not in (Experiment.State.DONE, Experiment.State.CANCELLED):
        raise NotPossible(_("%(name)s has not ended.") % {"name": current})
    if not current.contestants.exists():  # cancelled before it was prepared
        current.state, current.finished_at, left = Experiment.State.PREPARING, None, 0
    else:
        open_states = (Judgement.State.CANCELLED, Judgement.State.UNSCORED)
        left = current.judgements.filter(state__in=open_states).update(
            state=Judgement.State.QUEUED, reason="", attempts=0, due_at=None, finished_at=None
        )
        if not left:
            raise NotPossible(_("Every judgement of %(name)s has its score.") % {"name": current})
        current.state, current.finished_at = Experiment.State.RUNNING, None
    current.save(update_fields=["state", "finished_at"])
    audit.record("experiment.resume", current, judgements=left)
    transaction.on_commit(sending.send_due)
    experiment.refresh_from_db()
    return left


def _locked(experiment: Experiment) -> Experiment:
    return Experiment.objects.select_for_update(no_key=True).get(pk=experiment.pk)


def _back_to_draft(experiment: Experiment, error: str) -> None:
    Experiment.objects.filter(pk=experiment.pk, state=Experiment.State.PREPARING).update(
        state=Experiment.State.DRAFT, error=error
    )
