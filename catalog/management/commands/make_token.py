"""`manage.py make_token USER --scope write`: a token for a program of the site's own."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.accounts.tokens import make_token
from catalog.models import ApiToken, User

MAX_DAYS = 3650


class Command(BaseCommand):
    help = (
        "Makes an API token for an account and prints it, once. For operators: it asks for no password and for no "
        "verified address. The token alone goes to standard output."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="USER", help="The name of the account that the token acts for.")
        parser.add_argument("--scope", choices=ApiToken.Scope.values, required=True, help="What the token may do.")
        parser.add_argument("--days", type=int, default=90, help=f"How long it lasts, 1 to {MAX_DAYS}. Default: 90.")
        parser.add_argument("--name", default="make_token", help="What it is for, as the page of tokens shows it.")

    def handle(self, *args: Any, username: str, scope: str, days: int, name: str, **options: Any) -> None:
        if not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days: {days} is not from 1 to {MAX_DAYS}.")
        longest = ApiToken._meta.get_field("name").max_length
        if not name.strip() or len(name) > longest or not name.isprintable():
            raise CommandError(f"--name: give 1 to {longest} printable characters.")
        # Names that are not text cannot be asked of the database.
        user = User.objects.filter(username__iexact=username).first() if username.isprintable() else None
        if user is None:
            raise CommandError(f"There is no account named {username!r}. Make one with `manage.py createsuperuser`.")
        if not user.is_active:
            raise CommandError(f"The account {user.username} is switched off: its tokens would not work.")
        try:
            made, text = make_token(user=user, name=name, scope=scope, days=days)
        except ValidationError as error:
            raise CommandError(f"No token for {user.username}: {' '.join(error.messages)}") from error
        self.stderr.write(
            f"{user.username}: {made}, scope {scope}, until {made.expiry:%Y-%m-%d}. It is shown only now."
        )
        self.stdout.write(text)
