"""Recommendations, as the API reads and writes them."""

from math import isfinite
from typing import Any
from uuid import UUID

from rest_framework import serializers

from catalog.api.serializers import MAX_ID, AnimeSummarySerializer, GivenRatingSerializer, anime_id_field, each_once
from catalog.models import MAX_SCORE, Anime, AnimeType
from common.api.fields import BoundedListField
from recommender.models import ListEvent
from recommender.serving import lists
from recommender.serving.anime_arrays import is_genre
from recommender.serving.controls import Controls

MAX_RATINGS = 5000
MAX_GENRES = 8
MAX_EVENTS = 500
MAX_EXCLUDED = 500


def _scores(ratings: list[dict[str, int]]) -> dict[int, int]:
    """Anime id to score. Raises ValidationError."""
    return {rating["anime_id"]: rating["score"] for rating in each_once(ratings)}


class WordsField(BoundedListField):
    """A list in JSON; in a query, repeated or with commas between."""

    child = serializers.CharField(max_length=50)

    def to_internal_value(self, data: Any) -> list[str]:
        return [part for word in super().to_internal_value(data) for part in word.split(",") if part]


class GenresField(WordsField):
    def to_internal_value(self, data: Any) -> list[str]:
        slugs = super().to_internal_value(data)
        for slug in slugs:
            if not is_genre(slug):
                raise serializers.ValidationError(f"There is no genre {slug}. The slugs are at /api/v1/genres/.")
        return slugs


class TypesField(WordsField):
    def to_internal_value(self, data: Any) -> list[str]:
        types = super().to_internal_value(data)
        if unknown := sorted({*types} - {*AnimeType.values}):
            raise serializers.ValidationError(f"There is no type {unknown[0]}. Types: {', '.join(AnimeType.values)}.")
        return types


class IdsField(BoundedListField):
    """A list in JSON; in a query, repeated or with commas between."""

    child = anime_id_field()

    def to_internal_value(self, data: Any) -> list[int]:
        if isinstance(data, list):
            data = [part for one in data for part in (one.split(",") if isinstance(one, str) else [one])]
        return super().to_internal_value(data)


class NumberField(serializers.FloatField):
    """Not NaN, which keeps every bound."""

    def to_internal_value(self, data: Any) -> float:
        number = super().to_internal_value(data)
        return number if isfinite(number) else self.fail("invalid")


def _year_field(help_text: str) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1900, max_value=2100, required=False, help_text=help_text)


def _count_field(help_text: str, least: int = 0) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=least, max_value=MAX_ID, required=False, help_text=help_text)


class ControlsSerializer(serializers.Serializer[Any]):
    """What is asked of a list: `recommender.serving.controls.Controls`, field by field."""

    genres = GenresField(required=False, max_length=MAX_GENRES, help_text="Slugs of genres: anime that have all.")
    without_genres = GenresField(
        required=False, max_length=MAX_GENRES, help_text="Slugs of genres: anime that have none."
    )
    types = TypesField(
        required=False, max_length=MAX_GENRES, help_text=f"Anime of one of: {', '.join(AnimeType.values)}."
    )
    min_year = _year_field("Began to air in this year or later.")
    max_year = _year_field("Began to air in this year or earlier.")
    min_episodes = _count_field("Minimum number of episodes.", least=1)
    max_episodes = _count_field("Maximum number of episodes.", least=1)
    min_score = NumberField(min_value=0, max_value=MAX_SCORE, required=False, help_text="Least community score.")
    min_members = _count_field("Least number of community members who have it on their list.")
    max_members = _count_field("Greatest number of them: for what is little known.")
    diversity = NumberField(
        min_value=0, max_value=1, default=0, help_text="How unlike each other the anime of the list are."
    )
    novelty = NumberField(min_value=0, max_value=1, default=0, help_text="How little known they are.")
    hide_listed = serializers.BooleanField(
        default=True,
        help_text="Leave out what is planned to be watched. What was rated, watched or dismissed never comes.",
    )
    sequels = serializers.BooleanField(
        default=True,
        help_text="Whether OVAs, specials and music videos come of what was not begun. A series or film always may.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The fields of the controls under `controls`."""
        for what in ("year", "episodes", "members"):
            least, most = attrs.get(f"min_{what}"), attrs.get(f"max_{what}")
            if least is not None and most is not None and least > most:
                raise serializers.ValidationError({f"max_{what}": f"This must not be less than min_{what}, {least}."})
        names = ControlsSerializer._declared_fields
        given: dict[str, Any] = {name: attrs.pop(name) for name in names if name in attrs}
        given.update({name: frozenset(value) for name, value in given.items() if isinstance(value, list)})
        controls = Controls(**given)
        return {**attrs, "controls": controls}


class QuerySerializer(ControlsSerializer):
    method = serializers.ChoiceField(choices=[m.value for m in lists.Method], default=lists.Method.AUTO.value)
    k = serializers.IntegerField(min_value=1, max_value=lists.MAX_K, default=20)
    offset = serializers.IntegerField(
        min_value=0, max_value=lists.MAX_OFFSET, default=0, help_text="How many of the best to pass over."
    )
    exclude = IdsField(required=False, max_length=MAX_EXCLUDED, help_text="MyAnimeList ids of anime to leave out.")
    explain = serializers.BooleanField(default=True, help_text="Whether reasons come (`because`).")


class StatelessQuerySerializer(QuerySerializer):
    ratings = BoundedListField(child=GivenRatingSerializer(), max_length=MAX_RATINGS)

    def validate_ratings(self, ratings: list[dict[str, int]]) -> dict[int, int]:
        return _scores(ratings)


class SimilarQuerySerializer(serializers.Serializer[Any]):
    k = serializers.IntegerField(min_value=1, max_value=lists.MAX_K, default=12)


class AskedAnimeSerializer(serializers.Serializer[Any]):
    anime_ids = IdsField(min_length=1, max_length=lists.MAX_K, help_text="In a query, repeated or with commas between.")


class StatelessPredictionsSerializer(AskedAnimeSerializer):
    ratings = BoundedListField(child=GivenRatingSerializer(), max_length=MAX_RATINGS)

    def validate_ratings(self, ratings: list[dict[str, int]]) -> dict[int, int]:
        return _scores(ratings)


class PredictionSerializer(serializers.Serializer[Any]):
    anime_id = anime_id_field()
    predicted_rating = serializers.FloatField(
        allow_null=True, min_value=1, max_value=10, help_text="null where the model cannot say."
    )


class PredictionsSerializer(serializers.Serializer[Any]):
    path = serializers.ChoiceField(choices=[path.value for path in lists.Path])
    model_version = serializers.CharField(allow_null=True)
    results = PredictionSerializer(many=True, help_text="In the order asked.")


class ReasonSerializer(serializers.Serializer[Any]):
    anime_id = anime_id_field()
    name = serializers.CharField()


class RecommendedSerializer(serializers.Serializer[Any]):
    rank = serializers.IntegerField(min_value=1)
    model_version = serializers.CharField(
        allow_null=True, help_text="Of the model that put it there; lists of two models have both."
    )
    score = serializers.FloatField(
        help_text="What the list is ordered by unless it is mixed; its scale is the method's own."
    )
    predicted_rating = serializers.FloatField(allow_null=True, min_value=1, max_value=10)
    because = ReasonSerializer(
        many=True,
        help_text="Rated anime that weigh most in the score, the heaviest first; none that was rated low or dropped.",
    )
    anime = AnimeSummarySerializer()


class RecommendationListSerializer(serializers.Serializer[Any]):
    list_id = serializers.UUIDField(help_text="By which events name this list.")
    path = serializers.ChoiceField(choices=[path.value for path in lists.Path])
    method = serializers.ChoiceField(choices=[m.value for m in lists.Method if m != lists.Method.AUTO])
    model_version = serializers.CharField(allow_null=True)
    results = RecommendedSerializer(many=True)


class EventSerializer(serializers.Serializer[Any]):
    list_id = serializers.UUIDField()
    anime_id = anime_id_field()
    kind = serializers.ChoiceField(choices=ListEvent.Kind.choices)


class EventsSerializer(serializers.Serializer[Any]):
    events = BoundedListField(child=EventSerializer(), min_length=1, max_length=MAX_EVENTS)


class AcceptedSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField(min_value=1)


def represent(found: lists.RecommendationList, *, list_id: UUID, shows_adult: bool, explains: bool) -> dict[str, Any]:
    """The answer's fields, with one query for all anime that it names."""
    because = {item.anime_id: item.because if explains else () for item in found.items}
    ids = {*because, *(anime for reasons in because.values() for anime in reasons)}
    visible = Anime.objects.all() if shows_adult else Anime.objects.filter(is_adult=False)
    anime = visible.in_bulk(list(ids))
    teams = found.teams or (0,) * len(found.items)
    shown = [(item, team) for item, team in zip(found.items, teams, strict=True) if item.anime_id in anime]
    results = [
        {
            "rank": rank,
            "model_version": found.rival_version if team else found.model_version,
            "score": item.score,
            "predicted_rating": item.predicted_rating,
            "because": [{"anime_id": pk, "name": anime[pk].name} for pk in because[item.anime_id] if pk in anime],
            "anime": anime[item.anime_id],
        }
        for rank, (item, team) in enumerate(shown, start=found.offset + 1)
    ]
    fields = {
        "list_id": list_id,
        "path": found.path,
        "method": found.method,
        "model_version": found.model_version,
        "results": results,
    }
    return dict(RecommendationListSerializer(fields).data)
