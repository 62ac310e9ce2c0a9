"""Where a data set's files are: a folder, or a zip file that is read without unpacking it."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from catalog.datasets.errors import DatasetError, printable

ANIME, RATINGS, METADATA = "anime.csv", "rating.csv", "metadata.csv"
REQUIRED, OPTIONAL = (ANIME, RATINGS), (METADATA,)
MAX_FILE_BYTES = 4 * 2**30
#: Text of this kind shrinks to a fourth or so; a zip bomb to a thousandth.
MAX_ZIP_RATIO = 200
_BLOCK = 2**20


class Source:
    """The files of a data set at `path`. Raises DatasetError when a required one is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip_names: dict[str, str] = {}
        try:
            found = self._found()
        except (OSError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{path} cannot be read: {error}.") from error
        missing = [name for name in REQUIRED if not self.has(name)]
        if missing:
            shown = printable(", ".join(found[:10])) or "nothing"
            raise DatasetError(f"{path} has no {' and no '.join(missing)}; it holds {shown}.")

    def _found(self) -> list[str]:
        """The names of what is there."""
        if self.path.is_dir():
            return sorted(child.name for child in self.path.iterdir())
        if not self.path.exists():
            raise DatasetError(
                f"{self.path} does not exist. Name a folder or zip file that holds {ANIME} and {RATINGS}."
            )
        if not zipfile.is_zipfile(self.path):
            raise DatasetError(
                f"{self.path} is neither a folder nor a zip file. Name the folder or zip that holds {ANIME}."
            )
        with zipfile.ZipFile(self.path) as archive:
            found = sorted(info.filename for info in archive.infolist() if not info.is_dir())
        self._zip_names = self._chosen(found)
        return found

    def _chosen(self, found: Sequence[str]) -> dict[str, str]:
        """Where in the zip each file is, by its own name. Raises DatasetError when the zip holds two data sets.

        A folder that holds all required files is a data set by itself, so that files of two are never mixed.
        """
        folders: dict[str, dict[str, str]] = {}
        for path in found:
            place = PurePosixPath(path)
            folders.setdefault(str(place.parent), {})[place.name] = path
        whole = [folder for folder, files in folders.items() if all(name in files for name in REQUIRED)]
        if len(whole) == 1:
            return folders[whole[0]]
        for name in (*REQUIRED, *OPTIONAL):
            holders = [folder for folder, files in folders.items() if name in files]
            if len(holders) > 1:
                shown = printable(" and ".join("its top" if folder == "." else folder for folder in holders[:10]))
                raise DatasetError(
                    f"{self.path} has {name} in more than one folder: {shown}. Make a zip file of one of them, or "
                    "unpack it and name one folder. Nothing was changed."
                )
        return {PurePosixPath(path).name: path for path in found}

    def has(self, name: str) -> bool:
        return name in self._zip_names or (self.path / name).is_file()

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The file `name` as a stream of bytes. Raises DatasetError when it is too large or cannot be read."""
        try:
            if not self._zip_names:
                with (self.path / name).open("rb") as file:
                    yield file
                return
            with zipfile.ZipFile(self.path) as archive:
                info = archive.getinfo(self._zip_names[name])
                self._refuse_bomb(name, info)
                with archive.open(info) as file:
                    yield file
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise DatasetError(f"{name} in {self.path} cannot be read: {error}.") from error

    def size(self, name: str) -> int:
        """Bytes of `name`, unpacked."""
        if self._zip_names:
            with zipfile.ZipFile(self.path) as archive:
                return archive.getinfo(self._zip_names[name]).file_size
        return (self.path / name).stat().st_size

    def fingerprint(self) -> str:
        """SHA-256 over the names and contents of the files that a load reads."""
        digest = hashlib.sha256()
        for name in (*REQUIRED, *OPTIONAL):
            if self.has(name):
                digest.update(f"{name}:{self.size(name)}\n".encode())
                with self.open(name) as file:
                    while block := file.read(_BLOCK):
                        digest.update(block)
        return digest.hexdigest()

    def _refuse_bomb(self, name: str, info: zipfile.ZipInfo) -> None:
        if info.file_size > MAX_FILE_BYTES or info.file_size > MAX_ZIP_RATIO * max(info.compress_size, _BLOCK):
            raise DatasetError(
                f"{name} in {self.path} would unpack to {info.file_size:,} bytes from {info.compress_size:,}, "
                "which no rating file does. Unpack it yourself and name the folder if you trust it."
            )
