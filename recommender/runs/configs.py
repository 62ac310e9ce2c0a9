"""Which configuration each family of models takes. No JAX here: web processes check what staff type."""

from collections.abc import Mapping
from typing import Any

from recommender.engine.history.config import HistoryConfig
from recommender.engine.paper.config import PaperConfig
from recommender.models import TrainingRun

CONFIGS: dict[str, type[PaperConfig] | type[HistoryConfig]] = {
    TrainingRun.Family.HISTORY: HistoryConfig,
    TrainingRun.Family.PAPER: PaperConfig,
}


def checked(family: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of the family, those of `values` among them. Raises ValueError that names the setting."""
    if family not in CONFIGS:
        raise ValueError(f"there is no model family {family!r}; the families are {', '.join(CONFIGS)}")
    return CONFIGS[family].from_dict(values).to_dict()
