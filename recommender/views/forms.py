"""What the page of recommendations is asked for, read from its address."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from catalog.models import ADULT_GENRE, MAX_SCORE, AnimeType
from catalog.words import translated
from recommender.serving.anime_arrays import CatalogueArrays
from recommender.serving.controls import Controls

#: An anime by which the list is drawn near or kept away; each costs a search.
MAX_NEAR = 4
YEARS = (1900, 2100)
#: By name: least and most episodes.
LENGTHS = {"one": (1, 1), "short": (2, 13), "half": (14, 26), "long": (27, None)}
#: By name: least and most people who have it on their list.
FAME = {"known": (100_000, None), "middle": (20_000, 99_999), "hidden": (None, 19_999)}


class AnimeIds(forms.Field):
    """Ids of anime, each a parameter of its own."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[int]:
        ids = list(dict.fromkeys(value or []))
        if len(ids) > MAX_NEAR or not all(one.isascii() and one.isdigit() and len(one) < 10 for one in ids):
            raise forms.ValidationError(_("This is not an anime."))
        return [int(one) for one in ids]


class ControlsForm(forms.Form):
    """The filters and sliders. What cannot be understood is left out and named in `ignored`, never an error page."""

    genre = forms.MultipleChoiceField(label=_("With these genres"), required=False, widget=forms.CheckboxSelectMultiple)
    without = forms.MultipleChoiceField(
        label=_("Without these genres"), required=False, widget=forms.CheckboxSelectMultiple
    )
    type = forms.MultipleChoiceField(
        label=_("Type"), required=False, choices=AnimeType.choices, widget=forms.CheckboxSelectMultiple
    )
    since = forms.IntegerField(label=_("From year"), required=False, min_value=YEARS[0], max_value=YEARS[1])
    until = forms.IntegerField(label=_("To year"), required=False, min_value=YEARS[0], max_value=YEARS[1])
    length = forms.ChoiceField(
        label=_("Episodes"),
        required=False,
        choices=[("", _("Any")), ("one", _("Just one")), ("short", "2–13"), ("half", "14–26"), ("long", "27+")],
    )
    score = forms.FloatField(label=_("Minimum score"), required=False, min_value=0, max_value=MAX_SCORE)
    fame = forms.ChoiceField(
        label=_("Popularity"),
        required=False,
        choices=[
            ("", _("Any")),
            ("known", _("Well known")),
            ("middle", _("In between")),
            ("hidden", _("Little known")),
        ],
    )
    novelty = forms.IntegerField(label=_("Novelty"), required=False, min_value=0, max_value=100)
    diversity = forms.IntegerField(label=_("Diversity"), required=False, min_value=0, max_value=100)
    planned = forms.BooleanField(label=_("Also what I plan to watch"), required=False)
    sequels = forms.BooleanField(label=_("Also OVAs and specials of what I have not begun"), required=False)
    like = AnimeIds(label=_("More like this"), required=False)
    unlike = AnimeIds(label=_("Less like this"), required=False)

    def __init__(self, data: QueryDict, anime: CatalogueArrays, *, shows_adult: bool) -> None:
        super().__init__(data)
        genres = [
            (slug, translated(name))
            for slug, name in zip(anime.genre_slugs, anime.genre_names, strict=True)
            if shows_adult or name != ADULT_GENRE
        ]
        for name in ("genre", "without"):
            field = self.fields[name]
            assert isinstance(field, forms.MultipleChoiceField)
            field.choices = genres
        self.full_clean()

    def clean(self) -> dict[str, Any]:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and since > until:
            self.add_error("until", _("It is before the first year."))
        return self.cleaned_data

    @property
    def ignored(self) -> list[str]:
        """The labels of the filters that were not understood."""
        return [str(self.fields[name].label) for name in self.errors]

    @property
    def chosen(self) -> dict[str, Any]:
        """What was asked for and understood, by parameter."""
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def controls(self) -> Controls:
        chosen = self.chosen
        least_episodes, most_episodes = LENGTHS.get(chosen.get("length", ""), (None, None))
        least_fame, most_fame = FAME.get(chosen.get("fame", ""), (None, None))
        return Controls(
            genres=frozenset(chosen.get("genre", ())),
            without_genres=frozenset(chosen.get("without", ())),
            types=frozenset(chosen.get("type", ())),
            min_year=chosen.get("since"),
            max_year=chosen.get("until"),
            min_episodes=least_episodes,
            max_episodes=most_episodes,
            min_score=chosen.get("score"),
            min_members=least_fame,
            max_members=most_fame,
            novelty=chosen.get("novelty", 0) / 100,
            diversity=chosen.get("diversity", 0) / 100,
            hide_listed="planned" not in chosen,
            sequels="sequels" in chosen,
        )
