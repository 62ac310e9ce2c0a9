"""What `manage.py up` shows: one line a step, and bars for what takes long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


class Step:
    """A step under way; `detail` says what came of it."""

    detail = ""


class Screen:
    """Lines for a person at a terminal, or plain ones for a log."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)

    def say(self, text: str) -> None:
        """Show text as it is."""
        self._console.print(text, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show that something is under way, and, when it worked, one line with what came of it and how long it took."""
        step, start = Step(), time.monotonic()
        with self._console.status(f"{title} …") if self._console.is_terminal else _nothing():
            yield step
        self.done(title, step.detail, time.monotonic() - start)

    def done(self, title: str, detail: str, seconds: float) -> None:
        """The line for a step that worked."""
        self.say(f"✓ {title:<12} {detail or 'done'} ({seconds:.1f} s)")

    @contextmanager
    def bar(self) -> Iterator["Bar"]:
        """A progress bar; on what is no terminal, a line each time that its label changes."""
        progress = Progress(
            TextColumn("  {task.description:<32}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        with progress:
            yield Bar(self, progress)


class Bar:
    """A bar from 0 to 1 with a label for the phase."""

    def __init__(self, screen: Screen, progress: Progress) -> None:
        self._screen = screen
        self._progress = progress
        self._task = progress.add_task("", total=1.0)
        self._label = ""

    def update(self, label: str, done: float) -> None:
        """Show `label` and the share that is done, from 0 to 1."""
        self._progress.update(self._task, description=label, completed=done)
        if self._progress.disable and label != self._label:
            self._screen.say(f"  {label}")
        self._label = label


@contextmanager
def _nothing() -> Iterator[None]:
    yield
