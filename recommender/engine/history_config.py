"""Settings of the history two-tower model. No JAX here: web processes validate them, and only workers train."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class HistoryConfig:
    """Hyper-parameters of `HistoryTwoTower`. Raises ValueError that names the field.

    The defaults were chosen on validation users; `docs/quality.md` has the measurements.

    Attributes:
        factors: length of an embedding, the popularity factor included.
        l2: ridge of the item-item teacher, in interactions.
        dropout_ridge: ridge of the teacher for each interaction of an item, p / (1 - p) of an input dropout of p.
        unrated_weight: what a watched anime without a rating counts in the teacher, a rating being 1.
        franchise_weight: interactions that two anime of the same title are taken to share.
        popularity_weight: of the popularity prior, divided by the root of the length of the history.
        temperature: inverse temperature of the distilled distributions, for a history of one anime.
        temperature_decay: the power of the history's length that divides it.
        epochs: of `steps_per_epoch` batches of `batch_size` histories.
        max_teacher_items: the most rated anime that the teacher, quadratic in their number, covers; the others
            get their vectors from content.
        rating_factors: length of the embeddings of the rating head.
    """

    factors: int = 256
    l2: float = 50.0
    dropout_ridge: float = 1.0
    unrated_weight: float = 0.5
    franchise_weight: float = 20.0
    popularity_weight: float = 0.05
    temperature: float = 30.0
    temperature_decay: float = 0.36
    learning_rate: float = 1e-3
    epochs: int = 24
    steps_per_epoch: int = 16
    batch_size: int = 256
    max_teacher_items: int = 12_000
    rating_factors: int = 32
    rating_iterations: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("factors", 2, 256),
            ("epochs", 1, 1000),
            ("steps_per_epoch", 1, 100_000),
            ("batch_size", 1, 100_000),
            ("max_teacher_items", 1, 30_000),
            ("rating_factors", 1, 256),
            ("rating_iterations", 1, 1000),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
        for name, least, most in (
            ("l2", 1e-3, 1e6),
            ("dropout_ridge", 0.0, 1e3),
            ("unrated_weight", 0.0, 1.0),
            ("franchise_weight", 0.0, 1e3),
            ("popularity_weight", 0.0, 100.0),
            ("temperature", 1e-3, 1e4),
            ("temperature_decay", 0.0, 1.0),
            ("learning_rate", 1e-7, 1.0),
        ):
            value = getattr(self, name)
            # NaN is not between any two numbers.
            if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"{name} must be a number from {least:g} to {most:g}, not {value!r}")

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in dataclasses.fields(cls))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration from a JSON object. Raises ValueError for a name that it does not have."""
        unknown = sorted(set(values) - set(cls.field_names()))
        if unknown:
            raise ValueError(f"unknown setting {unknown[0]!r}; the settings are {', '.join(cls.field_names())}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
