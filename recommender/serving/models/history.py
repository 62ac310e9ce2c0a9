"""A model of the history family, as it is served."""

from dataclasses import dataclass

from recommender.engine.history.model import HistoryModel


@dataclass(frozen=True)
class HistoryTowers:
    """A model of the history family."""

    version: str
    model: HistoryModel
