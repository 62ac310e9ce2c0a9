"""A trained model on disk: one directory of a `manifest.json` and plain `.npy` arrays, written whole or not at all.

No pickle is ever read. Nothing here imports JAX: web processes map the arrays.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.engine.files import sync_directory

FORMAT_VERSION = 1
MANIFEST = "manifest.json"


class ArtifactError(Exception):
    """The artifact cannot be used. The message names the file, says why, and what to do."""


@dataclass(frozen=True)
class Artifact:
    """What `load_artifact` found: `manifest` as written, and `arrays` by name, mapped read-only from their files."""

    path: Path
    manifest: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


def write_artifact(
    directory: Path,
    *,
    family: str,
    arrays: Mapping[str, NDArray[Any]],
    config: Mapping[str, Any],
    fingerprint: str,
    metrics: Mapping[str, float],
) -> None:
    """Write `directory` with one file for each array, beside a manifest with the hash of every file.

    Raises:
        FileExistsError: there is such a directory already.
        OSError: the disk is full or not writable; nothing is left behind.
    """
    if directory.exists():
        raise FileExistsError(f"{directory} exists already; an artifact is never written over")
    directory.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        files = {}
        for name, array in arrays.items():
            path = unfinished / f"{name}.npy"
            with path.open("xb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            files[name] = {"sha256": _sha256(path), "shape": list(array.shape), "dtype": array.dtype.str}
        manifest = {
            "format_version": FORMAT_VERSION,
            "family": family,
            "code_version": code_version(),
            "config": dict(config),
            "data_fingerprint": fingerprint,
            "metrics": dict(metrics),
            "arrays": files,
        }
        with (unfinished / MANIFEST).open("x", encoding="utf-8") as file:
            json.dump(manifest, file, indent=2, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o755)
        sync_directory(unfinished)
        unfinished.rename(directory)
        sync_directory(directory.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def load_artifact(directory: Path, *, verify: bool = True) -> Artifact:
    """Map the arrays of an artifact.

    Args:
        directory: as given to `write_artifact`.
        verify: read every file and compare its hash with the manifest's; otherwise shapes and types alone.

    Raises:
        ArtifactError: missing, half-written, damaged, of another format, or with a manifest that names a file
            elsewhere.
    """
    manifest = _read_manifest(directory / MANIFEST)
    arrays = {}
    for name, described in manifest["arrays"].items():
        if not name.isidentifier():
            raise ArtifactError(f"{directory / MANIFEST} names an array {name!r}, which is no plain name. {_ADVICE}")
        path = directory / f"{name}.npy"
        try:
            if verify and _sha256(path) != described["sha256"]:
                raise ArtifactError(f"{path} is not what was written: its hash differs. {_ADVICE}")
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ArtifactError(f"{path} cannot be read: {error}. {_ADVICE}") from error
        if list(array.shape) != described["shape"] or array.dtype.str != described["dtype"]:
            raise ArtifactError(
                f"{path} has shape {array.shape} and type {array.dtype}, not what was written. {_ADVICE}"
            )
        arrays[name] = array
    return Artifact(directory, manifest, arrays)


@cache
def code_version() -> str:
    """SHA-256 of the engine's source: which code made an artifact."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


_ADVICE = "Publish another model, or train again."


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is missing. {_ADVICE}") from error
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}. {_ADVICE}") from error
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        raise ArtifactError(f"{path} is not of format {FORMAT_VERSION}, which this version reads. {_ADVICE}")
    files = manifest.get("arrays")
    if not isinstance(files, dict) or not all(
        isinstance(one, dict) and {"sha256", "shape", "dtype"} <= one.keys() for one in files.values()
    ):
        raise ArtifactError(f"{path} does not describe its arrays. {_ADVICE}")
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
