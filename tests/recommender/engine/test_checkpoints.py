import logging
from pathlib import Path

import numpy as np
import pytest

from recommender.engine import checkpoints

IDENTITY = {"config": {"epochs": 3}, "fingerprint": "abc"}


def save(directory: Path, epoch: int, **identity: object) -> None:
    checkpoints.save(directory, epoch, {"x": np.full(3, epoch)}, {**IDENTITY, **identity, "epoch": epoch})


def test_the_newest_is_loaded_and_two_are_kept(tmp_path: Path) -> None:
    for epoch in (1, 2, 11):
        save(tmp_path, epoch)
    latest = checkpoints.load_latest(tmp_path, IDENTITY)
    assert latest is not None
    assert latest.meta["epoch"] == 11
    assert latest.arrays["x"].tolist() == [11, 11, 11]
    assert len(list(tmp_path.iterdir())) == 2


def test_nothing_is_loaded_from_where_there_is_none(tmp_path: Path) -> None:
    assert checkpoints.load_latest(tmp_path / "absent", IDENTITY) is None


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_a_damaged_one_falls_back_to_the_one_before(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    path = tmp_path / "epoch-000002.npz"
    content = path.read_bytes()
    damaged = {
        "cut": content[: len(content) // 2],
        "flip": content[:150] + bytes([content[150] ^ 255]) + content[151:],
        "empty": b"",
        "text": b"not an archive",
    }[damage]
    path.write_bytes(damaged)
    with caplog.at_level(logging.WARNING):
        latest = checkpoints.load_latest(tmp_path, IDENTITY)
    assert latest is not None
    assert latest.meta["epoch"] == 1
    assert str(path) in caplog.text


@pytest.mark.parametrize("identity", [{"config": {"epochs": 4}}, {"fingerprint": "other"}])
def test_one_of_other_data_or_configuration_is_not_used(tmp_path: Path, identity: dict[str, object]) -> None:
    save(tmp_path, 1)
    assert checkpoints.load_latest(tmp_path, {**IDENTITY, **identity}) is None


def test_one_of_another_format_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)
    monkeypatch.setattr(checkpoints, "FORMAT_VERSION", checkpoints.FORMAT_VERSION + 1)
    assert checkpoints.load_latest(tmp_path, IDENTITY) is None
