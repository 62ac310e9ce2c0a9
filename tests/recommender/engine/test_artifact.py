import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recommender.engine import artifact
from recommender.engine.artifact import ArtifactError, load_artifact, write_artifact

ARRAYS: dict[str, np.ndarray] = {
    "item_ids": np.arange(5),
    "item_embeddings": np.random.default_rng(0).random((5, 3), dtype=np.float32),
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    directory = tmp_path / "store" / "model"
    write_artifact(
        directory, family="paper", arrays=ARRAYS, config={"epochs": 1}, fingerprint="f", metrics={"validation_mse": 1.5}
    )
    return directory


def test_what_is_written_is_loaded(written: Path) -> None:
    loaded = load_artifact(written)
    assert set(loaded.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert np.array_equal(loaded.arrays[name], array)
        assert isinstance(loaded.arrays[name], np.memmap)
        assert not loaded.arrays[name].flags.writeable
    assert loaded.manifest["config"] == {"epochs": 1}
    assert loaded.manifest["metrics"] == {"validation_mse": 1.5}
    assert loaded.manifest["code_version"] == artifact.code_version()


def test_an_artifact_is_never_written_over(written: Path) -> None:
    with pytest.raises(FileExistsError, match="never written over"):
        write_artifact(written, family="paper", arrays={}, config={}, fingerprint="f", metrics={})
    load_artifact(written)


def flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def edit_manifest(directory: Path, edit: Callable[[dict], object]) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    edit(manifest)
    (directory / "manifest.json").write_text(json.dumps(manifest))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (lambda d: (d / "manifest.json").unlink(), r"manifest\.json is missing"),
    "half a manifest": (lambda d: (d / "manifest.json").write_text('{"format_ver'), r"manifest\.json cannot be read"),
    "another format": (lambda d: edit_manifest(d, lambda m: m.update(format_version=99)), "not of format 1"),
    "no arrays": (lambda d: edit_manifest(d, lambda m: m.pop("arrays")), "does not describe its arrays"),
    "a missing file": (lambda d: (d / "item_ids.npy").unlink(), r"item_ids\.npy cannot be read"),
    "half a file": (lambda d: os.truncate(d / "item_ids.npy", 20), r"item_ids\.npy"),
    "a changed byte": (lambda d: flip_last_byte(d / "item_ids.npy"), r"item_ids\.npy is not what was written"),
    "a path as a name": (
        lambda d: edit_manifest(d, lambda m: m["arrays"].update({"../../secret": m["arrays"]["item_ids"]})),
        "no plain name",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_with_the_file_and_what_to_do(written: Path, damage: str) -> None:
    do, message = DAMAGES[damage]
    do(written)
    with pytest.raises(ArtifactError, match=message) as caught:
        load_artifact(written)
    assert "train again" in str(caught.value)


def test_a_pickle_in_place_of_an_array_is_not_opened(written: Path) -> None:
    np.save(written / "item_ids.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactError, match=r"item_ids\.npy"):
        load_artifact(written, verify=False)


def test_a_file_of_another_shape_is_refused_without_verifying(written: Path) -> None:
    np.save(written / "item_ids.npy", np.arange(9))
    with pytest.raises(ArtifactError, match="has shape"):
        load_artifact(written, verify=False)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """A process that may write no file over 64 KB stands for a full disk: the kernel refuses the write."""
    script = (
        "import resource, signal, sys; import numpy as np; from pathlib import Path\n"
        "from recommender.engine.artifact import write_artifact\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "write_artifact(Path(sys.argv[1]), family='p', arrays={'a': np.zeros(3), 'b': np.zeros(100_000)},"
        " config={}, fingerprint='f', metrics={})"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "store" / "model")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "OSError" in done.stderr
    assert list((tmp_path / "store").iterdir()) == []
