"""/api/v1/: recommendations for the signed-in user, or for ratings that come with the call."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.api_auth import InScope
from catalog.api_requests import revalidated
from catalog.models import Anime
from catalog.serializers import AnimeSummarySerializer
from recommender import serving
from recommender.predictions import predict, predict_for_ratings
from recommender.serializers import (
    AskedAnimeSerializer,
    PredictionsSerializer,
    QuerySerializer,
    RecommendationListSerializer,
    SimilarQuerySerializer,
    StatelessPredictionsSerializer,
    StatelessQuerySerializer,
    represent,
)


class Recommendations(APIView):
    permission_classes = [InScope]
    scopes: ClassVar = {"POST": "read"}

    @extend_schema(
        summary="Recommendations for the signed-in user",
        description="Without what they rated, listed or dismissed. For anybody else, a cold start.",
        parameters=[QuerySerializer],
        responses=RecommendationListSerializer,
    )
    def get(self, request: Request) -> Response:
        query = QuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        return _answer(request, query, partial(serving.recommend, request.user))

    @extend_schema(
        summary="Recommendations for ratings in the request",
        description="Without an account.",
        request=StatelessQuerySerializer,
        responses={200: RecommendationListSerializer},
    )
    def post(self, request: Request) -> Response:
        query = StatelessQuerySerializer(data=request.data)
        query.is_valid(raise_exception=True)
        return _answer(request, query, partial(serving.recommend_for_ratings, shows_adult=_shows_adult(request)))


class Predictions(APIView):
    permission_classes = [InScope]
    scopes: ClassVar = {"POST": "read"}

    @extend_schema(
        summary="How the signed-in user would rate anime",
        parameters=[AskedAnimeSerializer],
        responses=PredictionsSerializer,
    )
    def get(self, request: Request) -> Response:
        query = AskedAnimeSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        found = predict(request.user, query.validated_data["anime_ids"])
        return Response(PredictionsSerializer(found).data)

    @extend_schema(
        summary="How somebody with the ratings in the request would rate anime",
        description="Without an account; nothing is stored.",
        request=StatelessPredictionsSerializer,
        responses={200: PredictionsSerializer},
    )
    def post(self, request: Request) -> Response:
        query = StatelessPredictionsSerializer(data=request.data)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        found = predict_for_ratings(asked["ratings"], asked["anime_ids"], shows_adult=_shows_adult(request))
        return Response(PredictionsSerializer(found).data)


@revalidated
class Similar(APIView):
    permission_classes = [InScope]

    @extend_schema(
        summary="Anime like this one",
        description="By the published model, most alike first; none when the model does not know it.",
        parameters=[SimilarQuerySerializer],
        responses=AnimeSummarySerializer(many=True),
    )
    def get(self, request: Request, id: int) -> Response:
        query = SimilarQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        visible = Anime.objects.visible_to(request.user)
        if not visible.filter(pk=id).exists():
            raise NotFound("This anime is not in the catalogue.")
        ids = serving.similar(id, shows_adult=_shows_adult(request), **query.validated_data)
        anime = visible.in_bulk(ids)
        return Response(AnimeSummarySerializer([anime[pk] for pk in ids if pk in anime], many=True).data)


def _answer(request: Request, query: QuerySerializer, recommend: Callable[..., serving.RecommendationList]) -> Response:
    asked = dict(query.validated_data)
    explains = asked.pop("explain")
    try:
        found = recommend(**asked)
    except serving.MethodUnavailable as error:
        raise serializers.ValidationError({"method": str(error)}) from error
    return Response(represent(found, shows_adult=_shows_adult(request), explains=explains))


def _shows_adult(request: Request) -> bool:
    return bool(getattr(request.user, "shows_adult", False))
