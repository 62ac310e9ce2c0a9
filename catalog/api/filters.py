"""What a list of anime can be narrowed and ordered by, in the API."""

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from catalog.models import Anime, AnimeQuerySet, AnimeType, Genre
from catalog.search import BestFirst, matches
from catalog.views.forms import BrowseForm

#: Each is a join; nobody wants more at once.
MAX_GENRES = 8
MAX_EPISODES = 10_000


class SlugsField(forms.CharField):
    """Slugs of genres that there are, with commas between."""

    def clean(self, value: Any) -> list[str]:
        slugs = list(dict.fromkeys(filter(None, super().clean(value).split(","))))
        if len(slugs) > MAX_GENRES:
            raise forms.ValidationError("At most %(most)s genres.", params={"most": MAX_GENRES})
        known = set(Genre.objects.filter(slug__in=slugs).values_list("slug", flat=True)) if slugs else set()
        for slug in slugs:
            if slug not in known:
                # Not in the message itself: django-filter formats messages once more.
                raise forms.ValidationError(
                    "There is no genre %(slug)s. The slugs are at /api/v1/genres/.", params={"slug": slug}
                )
        return slugs


class SlugsFilter(django_filters.CharFilter):  # type: ignore[misc]  # the package has no types
    field_class = SlugsField


class AnimeFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    q = django_filters.CharFilter(label=_("Any part of a title"), method="by_title", max_length=100)
    genre = SlugsFilter(
        label=_("Genre slugs, separated by commas: anime that have all of them"), method="in_genres", max_length=200
    )
    without_genre = SlugsFilter(
        label=_("Genre slugs, separated by commas: anime that have none of them"),
        method="not_in_genres",
        max_length=200,
    )
    type = django_filters.MultipleChoiceFilter(choices=AnimeType.choices)
    min_score = django_filters.NumberFilter(label=_("Minimum community score"), field_name="score", lookup_expr="gte")
    min_episodes = django_filters.NumberFilter(
        label=_("Minimum number of episodes"),
        field_name="episodes",
        lookup_expr="gte",
        min_value=1,
        max_value=MAX_EPISODES,
        decimal_places=0,
    )
    max_episodes = django_filters.NumberFilter(
        label=_("Maximum number of episodes"),
        field_name="episodes",
        lookup_expr="lte",
        min_value=1,
        max_value=MAX_EPISODES,
        decimal_places=0,
    )
    aired_after = django_filters.DateFilter(field_name="aired_from", lookup_expr="gte")
    aired_before = django_filters.DateFilter(field_name="aired_from", lookup_expr="lte")
    ordering = django_filters.ChoiceFilter(
        label=_("By default the best match of `q`, or the most popular first"),
        choices=[
            ("popular", _("Most popular")),
            ("score", _("Best score")),
            ("newest", _("Newest")),
            ("title", _("Title")),
        ],
        method="by_order",
    )

    class Meta:
        model = Anime
        fields: list[str] = []

    @property
    def qs(self) -> QuerySet[Anime] | BestFirst:
        found: AnimeQuerySet = super().qs
        query = self.form.cleaned_data.get("q")
        if not query:
            return found
        return (
            found.filter(pk__in=matches(query)) if self.form.cleaned_data.get("ordering") else BestFirst(query, found)
        )

    def by_title(self, queryset: QuerySet[Anime], name: str, value: str) -> QuerySet[Anime]:
        return queryset  # `qs` searches when all else is filtered

    def in_genres(self, queryset: QuerySet[Anime], name: str, value: list[str]) -> QuerySet[Anime]:
        for slug in value:
            queryset = queryset.filter(genres__slug=slug)
        return queryset

    def not_in_genres(self, queryset: QuerySet[Anime], name: str, value: list[str]) -> QuerySet[Anime]:
        return queryset.exclude(genres__slug__in=value)

    def by_order(self, queryset: QuerySet[Anime], name: str, value: str) -> QuerySet[Anime]:
        order: list[Any] = [*BrowseForm.SORTS[value][1]]
        return queryset.order_by(*order)
