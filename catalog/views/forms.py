"""What people send: ratings, list statuses, the browse page's filters, settings."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import ClassVar

from django import forms
from django.db.models import F
from django.db.models.expressions import OrderBy
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models import MAX_SCORE, MIN_SCORE, AnimeQuerySet, AnimeType, ApiToken, Genre, ListStatus, User
from catalog.search import BestFirst, matches
from catalog.words import translated

TOKEN_DAYS = (7, 30, 90, 365)
LEAST_SCORES = (9, 8, 7, 6, 5)
FIRST_DECADE = 1960


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


def _decades() -> list[tuple[object, object]]:
    """The decades that can be chosen, latest first."""
    years = range(timezone.now().year // 10 * 10, FIRST_DECADE - 1, -10)
    return [("", _("Any year")), *((year, _("%(decade)ss") % {"decade": year}) for year in years)]


class NarrowForm(forms.Form):
    """A part of a title, a genre and a type. What cannot be understood is left out and named in `ignored`."""

    NARROWING: ClassVar[tuple[str, ...]] = ("q", "genre", "type")

    q = forms.CharField(label=_("Title"), max_length=100, required=False)
    genre = forms.ChoiceField(label=_("Genre"), required=False)
    type = forms.ChoiceField(label=_("Type"), required=False, choices=[("", _("Any type")), *AnimeType.choices])

    def __init__(self, data: Mapping[str, str], genres: Iterable[Genre]) -> None:
        super().__init__(data)
        genre = self.fields["genre"]
        assert isinstance(genre, forms.ChoiceField)
        genre.choices = [("", _("Any genre")), *((one.slug, translated(one.name)) for one in genres)]
        self.full_clean()

    @property
    def ignored(self) -> list[str]:
        """The labels of the filters that were not understood."""
        return [str(self.fields[name].label) for name in self.errors]

    @property
    def is_filtered(self) -> bool:
        return any(self.cleaned_data.get(name) for name in self.NARROWING)

    def narrowed(self, anime: AnimeQuerySet) -> AnimeQuerySet:
        """Those of the genre and type that were chosen."""
        if genre := self.cleaned_data.get("genre"):
            anime = anime.filter(genres__slug=genre)
        if kind := self.cleaned_data.get("type"):
            anime = anime.filter(type=kind)
        return anime


class BrowseForm(NarrowForm):
    """Search, filters and sorts of the whole catalogue."""

    NARROWING = ("q", "genre", "type", "decade", "score")
    SORTS: ClassVar[dict[str, tuple[object, list[str | OrderBy]]]] = {
        "popular": (_("Most popular"), ["-members", "mal_id"]),
        "score": (_("Best score"), [F("score").desc(nulls_last=True), "mal_id"]),
        "newest": (_("Newest"), [F("aired_from").desc(nulls_last=True), "mal_id"]),
        "title": (_("Title"), ["name", "mal_id"]),
    }

    decade = forms.TypedChoiceField(label=_("Years"), required=False, coerce=int, choices=_decades)
    score = forms.TypedChoiceField(
        label=_("Minimum score"),
        required=False,
        coerce=int,
        choices=[("", _("Any score")), *((score, f"{score}+") for score in LEAST_SCORES)],
    )
    sort = forms.ChoiceField(
        label=_("Sort by"),
        required=False,
        choices=[("", _("Best match")), *((key, label) for key, (label, _order) in SORTS.items())],
    )

    def narrowed(self, anime: AnimeQuerySet) -> AnimeQuerySet:
        anime = super().narrowed(anime)
        if decade := self.cleaned_data.get("decade"):
            anime = anime.filter(aired_from__range=(date(decade, 1, 1), date(decade + 9, 12, 31)))
        if score := self.cleaned_data.get("score"):
            anime = anime.filter(score__gte=score)
        return anime

    def results(self, anime: AnimeQuerySet) -> AnimeQuerySet | BestFirst:
        """What fits, in the order that was chosen."""
        anime = self.narrowed(anime)
        query, sort = self.cleaned_data.get("q"), self.cleaned_data.get("sort")
        if query and not sort:
            return BestFirst(query, anime)
        if query:
            anime = anime.filter(pk__in=matches(query))
        return anime.order_by(*self.SORTS[sort or "popular"][1])


class TokenForm(forms.Form):
    """What a new token is to be."""

    name = forms.CharField(
        label=_("Name"), max_length=60, help_text=_("What it is for, so that you recognise it later.")
    )
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
