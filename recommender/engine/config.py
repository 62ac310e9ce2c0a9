"""What a training is told. No JAX here: web processes validate configurations, and only workers train."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class PaperConfig:
    """Hyper-parameters of the paper's model, with the paper's values. Raises ValueError that names the field."""

    factors: int = 32
    epochs: int = 35
    batch_size: int = 10_000
    learning_rate: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("factors", 1, 1024),
            ("epochs", 1, 1000),
            ("batch_size", 1, 10_000_000),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
        rate = self.learning_rate
        if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 < rate <= 1:
            raise ValueError(f"learning_rate must be a number above 0 and up to 1, not {rate!r}")

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
