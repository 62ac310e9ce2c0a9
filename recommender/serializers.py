"""Recommendations, as the API reads and writes them."""

from typing import Any

from rest_framework import serializers

from catalog.models import Anime
from catalog.serializers import AnimeSummarySerializer, anime_id_field, score_field
from recommender import serving

MAX_RATINGS = 5000


class QuerySerializer(serializers.Serializer[Any]):
    method = serializers.ChoiceField(choices=[m.value for m in serving.Method], default=serving.Method.AUTO.value)
    k = serializers.IntegerField(min_value=1, max_value=serving.MAX_K, default=20)


class GivenRatingSerializer(serializers.Serializer[Any]):
    anime_id = anime_id_field()
    score = score_field()


class StatelessQuerySerializer(QuerySerializer):
    ratings = serializers.ListField(child=GivenRatingSerializer(), max_length=MAX_RATINGS)

    def validate_ratings(self, ratings: list[dict[str, int]]) -> dict[int, int]:
        """Anime id to score."""
        by_anime = {rating["anime_id"]: rating["score"] for rating in ratings}
        if len(by_anime) < len(ratings):
            raise serializers.ValidationError("An anime is rated more than once.")
        return by_anime


class ReasonSerializer(serializers.Serializer[Any]):
    anime_id = anime_id_field()
    name = serializers.CharField()


class RecommendedSerializer(serializers.Serializer[Any]):
    rank = serializers.IntegerField(min_value=1)
    score = serializers.FloatField(help_text="What the list is ordered by; its scale is the method's own.")
    predicted_rating = serializers.FloatField(allow_null=True, min_value=1, max_value=10)
    because = ReasonSerializer(many=True, help_text="Rated anime that weigh most in the score, the heaviest first.")
    anime = AnimeSummarySerializer()


class RecommendationListSerializer(serializers.Serializer[Any]):
    path = serializers.ChoiceField(choices=[path.value for path in serving.Path])
    method = serializers.ChoiceField(choices=[m.value for m in serving.Method if m != serving.Method.AUTO])
    model_version = serializers.CharField(allow_null=True)
    results = RecommendedSerializer(many=True)


def represent(found: serving.RecommendationList, shows_adult: bool) -> dict[str, Any]:
    """The answer's fields, with one query for all anime that it names."""
    ids = {item.anime_id for item in found.items} | {anime for item in found.items for anime in item.because}
    visible = Anime.objects.all() if shows_adult else Anime.objects.filter(is_adult=False)
    anime = visible.in_bulk(list(ids))
    results = [
        {
            "rank": rank,
            "score": item.score,
            "predicted_rating": item.predicted_rating,
            "because": [{"anime_id": pk, "name": anime[pk].name} for pk in item.because if pk in anime],
            "anime": anime[item.anime_id],
        }
        for rank, item in enumerate((item for item in found.items if item.anime_id in anime), start=1)
    ]
    fields = {"path": found.path, "method": found.method, "model_version": found.model_version, "results": results}
    return dict(RecommendationListSerializer(fields).data)
