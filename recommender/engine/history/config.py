"""Settings of the history two-tower model. No JAX here: web processes validate them, and only workers train."""

from dataclasses import dataclass

from recommender.engine.config import Config


@dataclass(frozen=True)
class HistoryConfig(Config):
    """Hyper-parameters of `HistoryTwoTower`. Raises ValueError that names the field.

    The defaults were chosen on validation users; `docs/quality.md` has the measurements.

    Attributes:
        factors: length of an embedding, the popularity factor included.
        l2: ridge of the item-item teacher, in interactions.
        dropout_ridge: ridge of the teacher for each interaction of an item, p / (1 - p) of an input dropout of p.
        short_dropout_ridge: the same of the teacher for short histories.
        short_weight: of that teacher, divided by the square of the length of the history; 0 leaves it out.
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
    short_dropout_ridge: float = 100.0
    short_weight: float = 60.0
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
        self.check_whole("factors", 2, 256)
        self.check_whole("epochs", 1, 1000)
        self.check_whole("steps_per_epoch", 1, 100_000)
        self.check_whole("batch_size", 1, 100_000)
        self.check_whole("max_teacher_items", 1, 30_000)
        self.check_whole("rating_factors", 1, 256)
        self.check_whole("rating_iterations", 1, 1000)
        self.check_whole("seed", 0, 2**32 - 1)
        self.check_number("l2", 1e-3, 1e6)
        self.check_number("dropout_ridge", 0, 1e3)
        self.check_number("short_dropout_ridge", 0, 1e4)
        self.check_number("short_weight", 0, 1e5)
        self.check_number("unrated_weight", 0, 1)
        self.check_number("franchise_weight", 0, 1e3)
        self.check_number("popularity_weight", 0, 100)
        self.check_number("temperature", 1e-3, 1e4)
        self.check_number("temperature_decay", 0, 1)
        self.check_number("learning_rate", 1e-7, 1)
