"""`manage.py reproduce_paper --report DIR`: the whole paper on one data set, as a page that a reader can check."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Run every method, table and figure of the paper, and write a report with the numbers and their definitions."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--report", type=Path, required=True, metavar="DIR", help="folder to write the report into")
        parser.add_argument(
            "--data",
            type=Path,
            metavar="PATH",
            help="folder with anime.csv and rating.csv in the Kaggle format; the loaded database when not given",
        )
        parser.add_argument("--quick", action="store_true", help="a reduced grid and few epochs, to see that all works")
        parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (default 0)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when the data cannot be used or the report cannot be written."""
        # scikit-learn and JAX take seconds to import; `manage.py help` should not wait for them.
        from evaluation.offline.database import read_database
        from evaluation.offline.dataset import read_folder
        from evaluation.paper.report_page import write_report
        from evaluation.paper.reproduction import FULL, QUICK, reproduce

        settings = replace(QUICK if options["quick"] else FULL, seed=options["seed"])
        steps = _Steps(self)
        try:
            options["report"].mkdir(parents=True, exist_ok=True)
            steps.begin("Reading the data")
            dataset = read_folder(options["data"]) if options["data"] else read_database()
            findings = reproduce(dataset, settings, steps.begin)
            steps.begin("Writing the report")
            page = write_report(findings, options["report"])
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        steps.end()
        self.stdout.write(f"The report is {page}")


class _Steps:
    """One line for each step, with the seconds it took."""

    def __init__(self, command: BaseCommand) -> None:
        self.command = command
        self.started = 0.0
        self.title = ""

    def begin(self, title: str) -> None:
        self.end()
        self.title, self.started = title, time.monotonic()

    def end(self) -> None:
        if self.title:
            self.command.stdout.write(f"{time.monotonic() - self.started:7.1f} s  {self.title}")
