"""Making what was written survive a power cut."""

import os
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Have the names in `directory` on the disk, not only in the kernel's memory."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
