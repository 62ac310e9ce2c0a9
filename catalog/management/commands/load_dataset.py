"""`manage.py load_dataset`: a data set's anime and raters into the catalogue."""

import csv
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from catalog.datasets import demo
from catalog.datasets.errors import DatasetError, Rejects
from catalog.datasets.kaggle import download
from catalog.datasets.load import Report, contents_of, is_loaded, load, refuse_beside_real
from catalog.datasets.source import RATINGS, Source
from catalog.models import Dataset


class Command(BaseCommand):
    help = (
        "Load anime.csv, rating.csv and, when it is there, metadata.csv from a folder or zip file in the format of "
        "Kaggle's Anime Recommendations Database. Loading the same files again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "path",
            nargs="?",
            help="a folder or zip file; 'kaggle' to download it; 'demo' for the real catalogue with simulated raters. "
            "Without it: whatever is loaded stays, and an empty database gets the demo",
        )
        parser.add_argument("--name", default="anime-recommendations-database", help="the data set's name")
        parser.add_argument("--skip-bad", type=Path, metavar="FILE", help="write bad lines to FILE and load the rest")
        parser.add_argument("--force", action="store_true", help="load again what is loaded already")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="load also what leaves fewer than 80 %% of the data set's members or of its interactions",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            Dataset._meta.get_field("name").run_validators(options["name"])
        except ValidationError as error:
            raise CommandError(f"--name {options['name']!r}: {' '.join(error.messages)}") from error
        try:
            self._load(options)
        except DatasetError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {error} Nothing was changed.") from error

    def _load(self, options: dict[str, Any]) -> None:
        path: str | None = options["path"]
        if not path and (loaded := Dataset.objects.all()):
            for one in loaded:
                self.stdout.write(f"Data set {one} is loaded: {one.interaction_count:,} interactions.")
            return
        if not path or path == "demo":
            fingerprint, name = demo.fingerprint(), demo.NAME
        else:
            source = Source(download() if path == "kaggle" else Path(path).expanduser())
            fingerprint, name = source.fingerprint(), options["name"]
        if not options["force"] and is_loaded(name, fingerprint):
            self.stdout.write(f"Data set {name} is loaded already; these files hold nothing new.")
            return
        if not path or path == "demo":
            refuse_beside_real()
            self.stdout.write("Making the demo: the real catalogue, and simulated raters")
            self._report(load(demo.contents(), self._step, may_shrink=options["replace"]))
            return
        self.stdout.write(f"Loading {source.path}")
        with (
            _rejects(options["skip_bad"]) as rejects,
            _progress(source) as on_bytes,
            contents_of(source, name, fingerprint, rejects, on_bytes) as contents,
        ):
            report = load(contents, self._step, may_shrink=options["replace"])
        self._report(report)
        if options["skip_bad"]:
            self.stdout.write(f"  {rejects.count:,} bad lines were left out and written to {options['skip_bad']}")

    def _step(self, text: str) -> None:
        self.stdout.write(f"  {text}")

    def _report(self, report: Report) -> None:
        numbers = {name: f"{number:,}" for name, number in asdict(report).items()}
        self.stdout.write(
            self.style.SUCCESS(
                "Loaded {anime} anime and {members} members with {interactions} interactions "
                "({ratings} ratings) of {rated_anime} anime.".format(**numbers)
            )
        )
        for name, text in (
            ("unknown_anime_ratings", "interactions with anime that anime.csv does not have were left out"),
            ("repeated_ratings", "interactions came again with the same rating and count once"),
            ("contradicted_ratings", "interactions came again with another rating; the last of each counts"),
            ("simulated_removed", "simulated members were removed: real ones are here now"),
            ("anime_removed", "anime came with them alone, and were removed"),
        ):
            if getattr(report, name):
                self.stdout.write(f"  {numbers[name]} {text}")
        self.stdout.write(
            "  {anime_changed} anime rows and {members_changed} members were added or changed".format(**numbers)
        )


@contextmanager
def _progress(source: Source) -> Iterator[Callable[[int], object]]:
    """A bar on the screen, and what to tell how many bytes of the ratings have been read."""
    columns = (TextColumn("  reading rating.csv"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=source.size(RATINGS))
        yield lambda n: progress.advance(task, n)


@contextmanager
def _rejects(path: Path | None) -> Iterator[Rejects]:
    """Where bad lines go: to the file, which is made before anything is read, or nowhere."""
    if path is None:
        yield Rejects()
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "line", "column", "reason", "raw"])
            yield Rejects(lambda bad: writer.writerow([bad.file, bad.line, bad.column, bad.reason, bad.raw]))
    except OSError as error:
        raise DatasetError(f"The bad lines cannot be written to {path}: {error}. Nothing was changed.") from error
