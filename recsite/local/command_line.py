"""The command line on a machine of one's own: defaults for it, and the embedded servers.

A machine is taken for one's own while `DATABASE_URL` is unset. Elsewhere nothing is assumed: what is
missing is refused by `recsite.settings`.
"""

import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from recsite.local import embedded

WITHOUT_STORES = {"check", "collectstatic", "compilemessages", "diffsettings", "help", "makemessages"}


def main(arguments: list[str]) -> None:
    """Run one management command."""
    command = arguments[1] if len(arguments) > 1 else "help"
    asks_for_help = command.startswith("-") or not {"-h", "--help"}.isdisjoint(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    environ.Env.read_env(embedded.BASE_DIR / ".env")
    try:
        if command == "up" or not os.environ.get("DATABASE_URL"):
            set_defaults()
        # `up` starts them itself, as one of the steps that it shows.
        if command not in {"up", *WITHOUT_STORES} and not asks_for_help:
            embedded.ensure()
        execute_from_command_line(arguments)
    except (embedded.EmbeddedServiceError, ImproperlyConfigured) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def set_defaults() -> None:
    """Set what is unset for a site that only this machine reaches, over plain http."""
    defaults = {"ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]", "INSECURE_HTTP": "1"}
    for name, value in defaults.items():
        os.environ[name] = os.environ.get(name) or value
    if not os.environ.get("SECRET_KEY"):
        os.environ["SECRET_KEY"] = _own_secret(embedded.var_dir())


def _own_secret(var: Path) -> str:
    """A random key, made once for each `var` and readable by its owner only."""
    path = var / "secret_key"
    with embedded.explained(var):
        if not path.exists():
            embedded.own_dir(var)
            draft = var / f"secret_key.{os.getpid()}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(64))
            with suppress(FileExistsError):
                # Linking, unlike renaming, fails when another process was first; its key is the one to use.
                os.link(draft, path)
            draft.unlink()
        return path.read_text()
