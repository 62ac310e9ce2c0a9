"""Finished epochs on disk: written whole or not at all, and used only for the training they belong to."""

import json
import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.engine.files import sync_directory

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
#: The last one, and the one before it in case the disk damaged the last.
KEPT = 2
_META = "meta"


@dataclass(frozen=True)
class Checkpoint:
    arrays: dict[str, NDArray[Any]]
    meta: dict[str, Any]


def save(directory: Path, epoch: int, arrays: dict[str, NDArray[Any]], meta: dict[str, Any]) -> None:
    """Keep `arrays` and the JSON object `meta` as the state after `epoch`, and drop what is older than needed.

    Raises:
        OSError: the disk is full or not writable; what was kept before is still there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = directory / "unfinished"
    with unfinished.open("wb") as file:
        everything: dict[str, Any] = {**arrays, _META: np.array(json.dumps({"format": FORMAT_VERSION, **meta}))}
        np.savez(file, **everything)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(directory / f"epoch-{epoch:06d}.npz")
    sync_directory(directory)
    for old in _kept(directory)[KEPT:]:
        old.unlink()


def load_latest(directory: Path, identity: dict[str, Any]) -> Checkpoint | None:
    """The newest checkpoint that can be read and whose meta holds everything in `identity`; None if there is none.

    One that is damaged, of another format, or of other data or configuration is passed over, and the log says why.
    """
    for path in _kept(directory):
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop(_META)))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            logger.warning("Passing over the damaged checkpoint %s: %s", path, error)
            continue
        different = [name for name, value in {"format": FORMAT_VERSION, **identity}.items() if meta.get(name) != value]
        if different:
            logger.warning("Passing over the checkpoint %s of another %s", path, " and ".join(different))
            continue
        return Checkpoint(arrays, meta)
    return None


def _kept(directory: Path) -> list[Path]:
    """Newest first."""
    return sorted(directory.glob("epoch-*.npz"), reverse=True)
