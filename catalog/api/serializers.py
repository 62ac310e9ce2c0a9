"""The catalogue and one's own ratings, as the API writes them."""

from typing import Any

from rest_framework import serializers

from catalog.models import MAX_SCORE, MIN_SCORE, Anime, AnimeType, Genre, ListEntry, ListStatus, Rating, User
from common.api.fields import BoundedListField

MAX_ID = 2**31 - 1


def anime_id_field(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=MAX_ID, help_text="MyAnimeList id.", **options)


def score_field(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=MIN_SCORE, max_value=MAX_SCORE, **options)


class GenreSerializer(serializers.ModelSerializer[Genre]):
    class Meta:
        model = Genre
        fields = ["slug", "name"]


class AnimeSummarySerializer(serializers.ModelSerializer[Anime]):
    """What a list shows of an anime."""

    id = anime_id_field(source="mal_id", read_only=True)
    # Said here, as what is read of a model's field is documented without the empty text.
    type = serializers.ChoiceField(
        choices=AnimeType.choices, allow_blank=True, read_only=True, help_text="Empty where it is not known."
    )

    class Meta:
        model = Anime
        fields = ["id", "name", "japanese_name", "type", "episodes", "score", "members", "aired_from"]
        read_only_fields = fields


class AnimeSerializer(AnimeSummarySerializer):
    genres = GenreSerializer(many=True, read_only=True)

    class Meta(AnimeSummarySerializer.Meta):
        fields = [*AnimeSummarySerializer.Meta.fields, "aired_to", "source", "studios", "genres", "is_adult"]
        read_only_fields = fields


class RatingSerializer(serializers.ModelSerializer[Rating]):
    anime_id = anime_id_field()
    score = score_field()

    class Meta:
        model = Rating
        fields = ["anime_id", "score", "rated_at"]
        read_only_fields = ["rated_at"]


class ScoreSerializer(serializers.Serializer[Any]):
    score = score_field()


class ListEntrySerializer(serializers.ModelSerializer[ListEntry]):
    anime_id = anime_id_field()

    class Meta:
        model = ListEntry
        fields = ["anime_id", "status", "updated_at"]
        read_only_fields = ["updated_at"]


class StatusSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=ListStatus.choices)


MAX_ROWS = 1000


class GivenRatingSerializer(serializers.Serializer[Any]):
    anime_id = anime_id_field()
    score = score_field()


class _ManyRow(serializers.Serializer[Any]):
    anime_id = anime_id_field()


class RatingRowSerializer(_ManyRow):
    score = score_field(allow_null=True, help_text="null takes the rating back.")


class EntryRowSerializer(_ManyRow):
    status = serializers.ChoiceField(
        choices=ListStatus.choices, allow_null=True, help_text="null takes the anime off the list."
    )


class ManyRatingsSerializer(serializers.Serializer[Any]):
    ratings = BoundedListField(child=RatingRowSerializer(), max_length=MAX_ROWS)

    def validate_ratings(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return each_once(rows)


class ManyEntriesSerializer(serializers.Serializer[Any]):
    entries = BoundedListField(child=EntryRowSerializer(), max_length=MAX_ROWS)

    def validate_entries(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return each_once(rows)


class WrittenSerializer(serializers.Serializer[Any]):
    written = serializers.IntegerField(min_value=0, help_text="How many rows were written or taken back.")


def each_once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each of an anime of its own. Raises ValidationError."""
    if len({row["anime_id"] for row in rows}) < len(rows):
        raise serializers.ValidationError("An anime is there more than once.")
    return rows


class AccountSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["username", "email", "shows_adult", "date_joined"]
        read_only_fields = ["username", "email", "date_joined"]
