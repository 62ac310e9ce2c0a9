"""/api/v1/: recommendations for the signed-in user, or for ratings that come with the call."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.api_auth import InScope
from catalog.models import Anime
from catalog.serializers import AnimeSummarySerializer
from recommender import serving
from recommender.serializers import (
    QuerySerializer,
    RecommendationListSerializer,
    StatelessQuerySerializer,
    represent,
)


class Recommendations(APIView):
    permission_classes = [InScope]
    scopes: ClassVar = {"POST": "read"}

    @extend_schema(parameters=[QuerySerializer], responses=RecommendationListSerializer)
    def get(self, request: Request) -> Response:
        """For the signed-in user, without what they rated, listed or dismissed; for anybody else, a cold start."""
        query = QuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        try:
            found = serving.recommend(request.user, **query.validated_data)
        except serving.MethodUnavailable as error:
            raise serializers.ValidationError({"method": str(error)}) from error
        return Response(represent(found, _shows_adult(request)))

    @extend_schema(request=StatelessQuerySerializer, responses=RecommendationListSerializer)
    def post(self, request: Request) -> Response:
        """For the ratings in the request, without an account; nothing is stored."""
        query = StatelessQuerySerializer(data=request.data)
        query.is_valid(raise_exception=True)
        shows_adult = _shows_adult(request)
        try:
            found = serving.recommend_for_ratings(shows_adult=shows_adult, **query.validated_data)
        except serving.MethodUnavailable as error:
            raise serializers.ValidationError({"method": str(error)}) from error
        return Response(represent(found, shows_adult))


class Similar(APIView):
    permission_classes = [InScope]

    @extend_schema(responses=AnimeSummarySerializer(many=True))
    def get(self, request: Request, id: int) -> Response:
        """Anime like this one by the published model, most alike first; none when the model does not know it."""
        visible = Anime.objects.visible_to(request.user)
        if not visible.filter(pk=id).exists():
            raise NotFound("This anime is not in the catalogue.")
        ids = serving.similar(id, shows_adult=_shows_adult(request))
        anime = visible.in_bulk(ids)
        return Response(AnimeSummarySerializer([anime[pk] for pk in ids if pk in anime], many=True).data)


def _shows_adult(request: Request) -> bool:
    return bool(getattr(request.user, "shows_adult", False))
