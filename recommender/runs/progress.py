"""How far a run is, written to its row for those who watch."""

from dataclasses import asdict
from typing import Any, Protocol

from recommender.models import TrainingRun
from recommender.runs import workers

#: Where on the way from 0 to 1 each phase begins; training goes on to where clustering begins.
BEGINS = {
    TrainingRun.Phase.SNAPSHOT: 0.0,
    TrainingRun.Phase.PREPARING: 0.02,
    TrainingRun.Phase.TRAINING: 0.05,
    TrainingRun.Phase.CLUSTERING: 0.85,
    TrainingRun.Phase.WRITING: 0.93,
    TrainingRun.Phase.EVALUATING: 0.95,
}


class Epoch(Protocol):
    """What every family's training says after an epoch; a dataclass."""

    @property
    def epoch(self) -> int: ...
    @property
    def epochs(self) -> int: ...


def report(run: TrainingRun, phase: TrainingRun.Phase, **fields: Any) -> None:
    """The run begins `phase`."""
    _write(run, phase=phase, progress=BEGINS[phase], **fields)


def report_epoch(run: TrainingRun, epoch: Epoch) -> None:
    """The run has finished an epoch; its losses are those of the dataclass, whatever the family has."""
    begins, ends = BEGINS[TrainingRun.Phase.TRAINING], BEGINS[TrainingRun.Phase.CLUSTERING]
    progress = begins + epoch.epoch / epoch.epochs * (ends - begins)
    losses = [*(old for old in run.losses if old["epoch"] < epoch.epoch), losses_of(epoch)]
    _write(run, progress=progress, losses=losses, fruitless_attempts=0)


def losses_of(epoch: Epoch) -> dict[str, Any]:
    """What the run keeps of an epoch."""
    entry: dict[str, Any] = asdict(epoch)  # type: ignore[call-overload]
    del entry["epochs"]
    return entry


def is_cancelled(run: TrainingRun) -> bool:
    return TrainingRun.objects.filter(pk=run.pk, cancel_requested=True).exists()


def must_stop(run: TrainingRun) -> bool:
    """Whether the training is to end at the epoch that it has reached: somebody cancelled it, or its worker stops."""
    return is_cancelled(run) or workers.is_stopping()


def _write(run: TrainingRun, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(run, name, value)
    run.save(update_fields=list(fields))
