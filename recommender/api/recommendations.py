"""/api/v1/: recommendations for the signed-in user, or for ratings that come with the call."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.api.auth import InScope
from catalog.api.serializers import AnimeSummarySerializer
from catalog.models import Anime, User
from common.api.requests import revalidated
from recommender.api.serializers import (
    AcceptedSerializer,
    AskedAnimeSerializer,
    EventsSerializer,
    PredictionsSerializer,
    QuerySerializer,
    RecommendationListSerializer,
    SimilarQuerySerializer,
    StatelessPredictionsSerializer,
    StatelessQuerySerializer,
    represent,
)
from recommender.serving import interleaving, lists, outcomes
from recommender.serving.predictions import predict, predict_for_ratings


class Recommendations(APIView):
    #: What 5,000 ratings take, even when every one is written over four lines.
    max_body = 512 * 1024
    permission_classes = [InScope]
    scopes: ClassVar = {"POST": "read"}

    @extend_schema(
        summary="Recommendations for the signed-in user",
        description="Without what they rated, listed or dismissed. A rating 1.5 or more below their own mean, and a "
        "dropped anime, recommend nothing: the rest of the franchise stays away too. For anybody else, a cold start.",
        parameters=[QuerySerializer],
        responses=RecommendationListSerializer,
    )
    def get(self, request: Request) -> Response:
        query = QuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        ratings, statuses = lists.history(request.user) if isinstance(request.user, User) else ({}, {})
        return _answer(request, {"ratings": ratings, **query.validated_data}, statuses, request.user.pk)

    @extend_schema(
        summary="Recommendations for ratings in the request",
        description="Without an account. Ratings count as they do for an account.",
        request=StatelessQuerySerializer,
        responses={200: RecommendationListSerializer},
    )
    def post(self, request: Request) -> Response:
        query = StatelessQuerySerializer(data=request.data)
        query.is_valid(raise_exception=True)
        return _answer(request, query.validated_data)


class Events(APIView):
    max_body = 128 * 1024
    permission_classes = [InScope]
    # Whoever was given a list may say what became of it.
    scopes: ClassVar = {"POST": "read"}

    @extend_schema(
        summary="Say what became of lists",
        description="That anime of a list were seen, clicked or dismissed, for measuring: nobody's list or ratings "
        "change by it. All are written or none; each counts once, however often it is said.",
        request=EventsSerializer,
        responses={200: AcceptedSerializer},
    )
    def post(self, request: Request) -> Response:
        sent = EventsSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        events = [outcomes.Said(**event) for event in sent.validated_data["events"]]
        try:
            accepted = outcomes.say(events, user=_account(request))
        except outcomes.UnknownList as error:
            fault = "There is no such list of yours, or this anime is not on it."
            faults: Any = {place: {"list_id": fault} for place in error.places}
            raise serializers.ValidationError({"events": faults}) from None
        return Response({"accepted": accepted})


class Predictions(APIView):
    max_body = 512 * 1024
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
        ids = lists.similar(id, shows_adult=_shows_adult(request), **query.validated_data)
        anime = visible.in_bulk(ids)
        return Response(AnimeSummarySerializer([anime[pk] for pk in ids if pk in anime], many=True).data)


def _answer(
    request: Request, asked: Mapping[str, Any], statuses: Mapping[int, str] | None = None, user_id: int | None = None
) -> Response:
    """A list, kept under an id of its own."""
    options = {name: value for name, value in asked.items() if name != "explain"}
    shows_adult = _shows_adult(request)
    try:
        found = interleaving.recommend(statuses=statuses, shows_adult=shows_adult, user_id=user_id, **options)
    except lists.MethodUnavailable as error:
        raise serializers.ValidationError({"method": str(error)}) from error
    list_id = outcomes.record(found, _account(request))
    return Response(represent(found, list_id=list_id, shows_adult=shows_adult, explains=asked["explain"]))


def _account(request: Request) -> User | None:
    return request.user if isinstance(request.user, User) else None


def _shows_adult(request: Request) -> bool:
    return bool(getattr(request.user, "shows_adult", False))
