"""Sessions that two requests may change at the same time."""

from copy import deepcopy
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.db import transaction

#: Equal to no value that a session holds.
_MISSING = object()


class SessionStore(db.SessionStore):
    """Django's sessions in the database, but saving writes only the entries that this request changed.

    Django writes the whole session as the request read it, which takes back what another request saved meanwhile.
    """

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._as_stored: dict[str, Any] = {}

    def _validate_session_key(self, key: str | None) -> bool:
        """Whether the site can have made this key: others, which may hold what no database takes, are no session."""
        return bool(super()._validate_session_key(key)) and set(key or "") <= set(VALID_KEY_CHARS)  # type: ignore[misc]

    def load(self) -> dict[str, Any]:
        data: dict[str, Any] = super().load()
        self._as_stored = deepcopy(data)
        return data

    def save(self, must_create: bool = False) -> None:
        if must_create or self.session_key is None:
            super().save(must_create)
        else:
            with transaction.atomic():
                stored = self.model.objects.select_for_update().filter(session_key=self.session_key).first()
                if stored is not None:
                    self._session_cache = self._merged(self.decode(stored.session_data))
                super().save()
        self._as_stored = deepcopy(dict(self.items()))

    def _merged(self, stored: dict[str, Any]) -> dict[str, Any]:
        """What is stored now, with the entries that this request set or removed."""
        mine = dict(self.items())
        changed = {name: value for name, value in mine.items() if value != self._as_stored.get(name, _MISSING)}
        removed = self._as_stored.keys() - mine.keys()
        return {name: value for name, value in stored.items() if name not in removed} | changed
