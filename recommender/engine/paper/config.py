"""The settings of the paper's model. No JAX here: web processes validate them, and only workers train."""

from dataclasses import dataclass

from recommender.engine.config import Config


@dataclass(frozen=True)
class PaperConfig(Config):
    """Hyper-parameters of the paper's model, with the paper's values.

    `clusters` is how many K-means and the Gaussian mixture make; a small catalogue gets fewer.
    """

    factors: int = 32
    epochs: int = 35
    batch_size: int = 10_000
    learning_rate: float = 0.01
    clusters: int = 150
    seed: int = 0

    def __post_init__(self) -> None:
        self.check_whole("factors", 1, 1024)
        self.check_whole("epochs", 1, 1000)
        self.check_whole("batch_size", 1, 10_000_000)
        self.check_whole("clusters", 1, 2000)
        self.check_whole("seed", 0, 2**32 - 1)
        self.check_number("learning_rate", 1e-7, 1)
