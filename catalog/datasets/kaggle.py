"""The data set from Kaggle itself."""

from pathlib import Path

from catalog.datasets.errors import DatasetError

HANDLE = "CooperUnion/anime-recommendations-database"


def download() -> Path:
    """Fetch the data set, or find it where an earlier call put it. Raises DatasetError."""
    try:
        import kagglehub
    except ImportError as error:
        raise DatasetError(
            "Downloading from Kaggle needs the package kagglehub: pip install kagglehub. "
            f"Or download {HANDLE} in a browser and name the zip file."
        ) from error
    try:
        return Path(kagglehub.dataset_download(HANDLE))
    except Exception as error:  # the client raises what its libraries raise
        raise DatasetError(
            f"Kaggle cannot be reached or refuses ({type(error).__name__}: {error}). "
            f"Download {HANDLE} in a browser and name the zip file, or name a folder."
        ) from error
