"""What a training is told. No JAX here: web processes validate configurations, and only workers train."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Config:
    """Settings of a training, to and from a JSON object. What does not fit is a ValueError that names the setting."""

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

    def check_whole(self, name: str, low: int, high: int) -> None:
        """Raise ValueError unless the setting is a whole number in this range."""
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")

    def check_number(self, name: str, low: float, high: float) -> None:
        """Raise ValueError unless the setting is a number in this range; NaN is in none."""
        value = getattr(self, name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")


class TrainingStopped(Exception):
    """`should_stop` said so; the epochs finished until then are in the checkpoint."""
