"""What people send: ratings, list statuses, the browse page's filters, settings."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from django import forms
from django.db.models import F
from django.db.models.expressions import OrderBy
from django.utils.translation import gettext_lazy as _

from catalog.models import MAX_SCORE, MIN_SCORE, AnimeQuerySet, AnimeType, ApiToken, Genre, ListStatus, User
from catalog.search import search

TOKEN_DAYS = (7, 30, 90, 365)


class RatingForm(forms.Form):
    """An empty score takes the rating back."""

    score = forms.IntegerField(
        min_value=MIN_SCORE,
        max_value=MAX_SCORE,
        required=False,
        error_messages={
            "invalid": _("A score is a whole number from 1 to 10."),
            "min_value": _("A score is a whole number from 1 to 10."),
            "max_value": _("A score is a whole number from 1 to 10."),
        },
    )


class StatusForm(forms.Form):
    """An empty status takes the anime off the list."""

    status = forms.ChoiceField(
        choices=ListStatus.choices,
        required=False,
        error_messages={"invalid_choice": _("This list status is not known.")},
    )


class BrowseForm(forms.Form):
    """Search and filters. What cannot be understood is left out and named in `ignored`, never an error page."""

    SORTS: ClassVar[dict[str, tuple[object, list[str | OrderBy]]]] = {
        "popular": (_("Most popular"), ["-members", "mal_id"]),
        "score": (_("Best score"), [F("score").desc(nulls_last=True), "mal_id"]),
        "newest": (_("Newest"), [F("aired_from").desc(nulls_last=True), "mal_id"]),
        "title": (_("Title"), ["name", "mal_id"]),
    }

    q = forms.CharField(label=_("Title"), max_length=100, required=False)
    genre = forms.ChoiceField(label=_("Genre"), required=False)
    type = forms.ChoiceField(label=_("Type"), required=False, choices=[("", _("Any type")), *AnimeType.choices])
    sort = forms.ChoiceField(
        label=_("Sort by"),
        required=False,
        choices=[("", _("Best match")), *((key, label) for key, (label, _order) in SORTS.items())],
    )

    def __init__(self, data: Mapping[str, str], genres: Iterable[Genre]) -> None:
        super().__init__(data)
        genre = self.fields["genre"]
        assert isinstance(genre, forms.ChoiceField)
        genre.choices = [("", _("Any genre")), *((one.slug, one.name) for one in genres)]
        self.full_clean()

    @property
    def ignored(self) -> list[str]:
        """The labels of the filters that were not understood."""
        return [str(self.fields[name].label) for name in self.errors]

    @property
    def is_filtered(self) -> bool:
        return any(self.cleaned_data.get(name) for name in ("q", "genre", "type"))

    def results(self, anime: AnimeQuerySet) -> AnimeQuerySet:
        chosen = self.cleaned_data
        if genre := chosen.get("genre"):
            anime = anime.filter(genres__slug=genre)
        if kind := chosen.get("type"):
            anime = anime.filter(type=kind)
        if query := chosen.get("q"):
            anime = search(query, anime)
        if sort := chosen.get("sort"):
            return anime.order_by(*self.SORTS[sort][1])
        return anime if query else anime.order_by("-members", "mal_id")


class TokenForm(forms.Form):
    """What a new token is to be."""

    name = forms.CharField(label=_("Name"), max_length=60, help_text=_("What it is for, so that you know it again."))
    scope = forms.ChoiceField(label=_("What it may do"))
    days = forms.TypedChoiceField(
        label=_("Lasts"), coerce=int, choices=[(n, _("%(days)s days") % {"days": n}) for n in TOKEN_DAYS], initial=90
    )

    def __init__(self, user: User, data: Mapping[str, str] | None = None) -> None:
        super().__init__(data)
        scope = self.fields["scope"]
        assert isinstance(scope, forms.ChoiceField)
        scope.choices = [
            choice for choice in ApiToken.Scope.choices if user.is_staff or choice[0] != ApiToken.Scope.STAFF
        ]


class SettingsForm(forms.ModelForm[User]):
    class Meta:
        model = User
        fields = ["shows_adult"]


class DeleteAccountForm(forms.Form):
    """Asks for the password, so that nobody at an unlocked screen deletes another's account."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, data: Mapping[str, str] | None, *, user: User) -> None:
        super().__init__(data)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError(_("This is not your password."))
        return password
