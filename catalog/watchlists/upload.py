"""An uploaded file as bytes that end: unpacked where it is gzip, and never more than a limit."""

import gzip
import zlib
from collections.abc import Iterator
from typing import IO

from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.utils.translation import gettext as _

from catalog.watchlists.entries import UploadError

#: Of the file as it is sent, and of what it holds once unpacked. An entry of MyAnimeList takes about 1.2 KB.
MAX_UPLOAD_BYTES = 8 * 1024**2
MAX_BYTES = 32 * 1024**2
CHUNK = 64 * 1024
_GZIP = b"\x1f\x8b"


class UploadLimit(FileUploadHandler):
    """Ends an upload that grows too large, before it is on disk; `request.FILES` is without it then."""

    def new_file(self, *args: object, **kwargs: object) -> None:
        super().new_file(*args, **kwargs)  # type: ignore[arg-type]
        self._received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self._received += len(raw_data)
        if self._received > MAX_UPLOAD_BYTES:
            if self.request is not None:
                self.request.META["UPLOAD_TOO_LARGE"] = True
            raise StopUpload
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None  # the next handler has the file


def unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """The file's content in chunks.

    Raises:
        UploadError: it holds more than MAX_BYTES, or is a damaged gzip file.
    """
    file.seek(0)
    is_packed = file.read(2) == _GZIP
    file.seek(0)
    source: IO[bytes] = gzip.GzipFile(fileobj=file) if is_packed else file  # type: ignore[assignment]
    total = 0
    while chunk := _read(source):
        total += len(chunk)
        if total > MAX_BYTES:
            raise UploadError(
                _("The file holds more than %(limit)s MB, which no list does.") % {"limit": MAX_BYTES // 1024**2}
            )
        yield chunk


def _read(source: IO[bytes]) -> bytes:
    try:
        return source.read(CHUNK)
    except (EOFError, OSError, zlib.error):
        raise UploadError(_("The file is damaged: it cannot be unpacked. Export it again.")) from None
