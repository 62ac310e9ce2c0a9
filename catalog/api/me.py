"""/api/v1/me/: the caller's own account, ratings and list; nobody else's can be named."""

from collections.abc import Mapping
from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import services
from catalog.api.serializers import (
    AccountSerializer,
    ListEntrySerializer,
    ManyEntriesSerializer,
    ManyRatingsSerializer,
    RatingSerializer,
    ScoreSerializer,
    StatusSerializer,
    WrittenSerializer,
)
from catalog.models import Anime, ListEntry, Rating, User
from common.api.idempotency import KEY_HEADER, idempotent
from common.api.pagination import CursorPages
from common.api.requests import revalidated

NOT_FOUND = "This anime is not in the catalogue."
IDEMPOTENCY_KEY = OpenApiParameter(
    KEY_HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Of your choice, new for each request: the same request with it again is answered and not done again.",
)


def viewer(request: Request) -> User:
    """The signed-in user; the view's permissions admit no other."""
    return cast(User, request.user)


@extend_schema_view(
    get=extend_schema(summary="The signed-in user"), patch=extend_schema(summary="Change one's settings")
)
class Account(generics.RetrieveUpdateAPIView[User]):
    serializer_class = AccountSerializer
    http_method_names = ["get", "patch", "head", "options"]

    def get_object(self) -> User:
        return viewer(self.request)


class _MineViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[Any]
):
    """The caller's own rows, one for each anime, addressed by the anime's id. Every write may be repeated."""

    pagination_class = CursorPages
    filter_backends = []
    max_body = 256 * 1024
    lookup_field = "anime_id"
    lookup_value_converter = "int"
    #: What a PUT or PATCH brings, and what a bulk call brings under which name.
    value_serializer: type[serializers.Serializer[Any]]
    many_serializer: type[serializers.Serializer[Any]]
    many_field: str

    def write(self, anime_id: int, **values: Any) -> Any:
        raise NotImplementedError

    def write_many(self, rows: Mapping[int, Any]) -> None:
        raise NotImplementedError

    @idempotent
    def create(self, request: Request) -> Response:
        values = _checked(self.get_serializer(data=request.data))
        try:
            row = self.write(**values)
        except Anime.DoesNotExist:
            raise serializers.ValidationError({"anime_id": NOT_FOUND}) from None
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    def update(self, request: Request, anime_id: int) -> Response:
        return self._replace(anime_id, _checked(self.value_serializer(data=request.data)))

    def partial_update(self, request: Request, anime_id: int) -> Response:
        values = _checked(self.value_serializer(data=request.data, partial=True))
        row = self.get_object()
        return self._replace(anime_id, values) if values else Response(self.get_serializer(row).data)

    def _replace(self, anime_id: int, values: Mapping[str, Any]) -> Response:
        try:
            row = self.write(anime_id, **values)
        except Anime.DoesNotExist:
            raise NotFound(NOT_FOUND) from None
        return Response(self.get_serializer(row).data)

    @action(detail=False, methods=["post"])
    @idempotent
    def bulk(self, request: Request) -> Response:
        rows = _checked(self.many_serializer(data=request.data))[self.many_field]
        (value,) = self.value_serializer().fields
        try:
            self.write_many({row["anime_id"]: row[value] for row in rows})
        except services.UnknownAnime as error:
            faults: Any = {
                i: {"anime_id": NOT_FOUND} for i, row in enumerate(rows) if row["anime_id"] in error.anime_ids
            }
            raise serializers.ValidationError({self.many_field: faults}) from None
        return Response({"written": len(rows)})


def _mine(one: str, many: str, value: type[Any], bulk: type[Any], row: type[Any]) -> Any:
    """The schema's words for a class of such rows."""
    replaces = "In place of what there was for the same anime."
    return extend_schema_view(
        list=extend_schema(summary=f"One's {many}, latest first"),
        retrieve=extend_schema(summary=f"One's {one} of an anime"),
        create=extend_schema(
            summary=f"Write a {one}", description=replaces, parameters=[IDEMPOTENCY_KEY], responses={201: row}
        ),
        update=extend_schema(summary=f"Write a {one}", description=replaces, request=value, responses=row),
        partial_update=extend_schema(
            summary=f"Change a {one}", description="404 when there is none.", request=value, responses=row
        ),
        destroy=extend_schema(
            summary=f"Take a {one} back", description="404 when there is none.", responses={204: None}
        ),
        bulk=extend_schema(
            summary=f"Write up to 1,000 {many}",
            description="All of them or, when one is not valid, none. They replace what there was; null takes back.",
            parameters=[IDEMPOTENCY_KEY],
            request=bulk,
            responses=WrittenSerializer,
        ),
    )


@revalidated
@_mine("rating", "ratings", ScoreSerializer, ManyRatingsSerializer, RatingSerializer)
class RatingViewSet(_MineViewSet):
    queryset = Rating.objects.none()
    serializer_class = RatingSerializer
    value_serializer = ScoreSerializer
    many_serializer = ManyRatingsSerializer
    many_field = "ratings"

    def get_queryset(self) -> QuerySet[Rating]:
        return Rating.objects.filter(user=viewer(self.request))

    def write(self, anime_id: int, **values: Any) -> Rating:
        return services.rate(user=viewer(self.request), anime_id=anime_id, score=values["score"])

    def write_many(self, rows: Mapping[int, int | None]) -> None:
        services.write_many(user=viewer(self.request), ratings=rows)


@revalidated
@_mine("list entry", "list entries", StatusSerializer, ManyEntriesSerializer, ListEntrySerializer)
class ListEntryViewSet(_MineViewSet):
    queryset = ListEntry.objects.none()
    serializer_class = ListEntrySerializer
    value_serializer = StatusSerializer
    many_serializer = ManyEntriesSerializer
    many_field = "entries"

    def get_queryset(self) -> QuerySet[ListEntry]:
        return ListEntry.objects.filter(user=viewer(self.request))

    def write(self, anime_id: int, **values: Any) -> ListEntry:
        return services.set_status(user=viewer(self.request), anime_id=anime_id, status=values["status"])

    def write_many(self, rows: Mapping[int, str | None]) -> None:
        services.write_many(user=viewer(self.request), statuses=rows)


def _checked(serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    """What the request says. Raises ValidationError."""
    serializer.is_valid(raise_exception=True)
    return cast(dict[str, Any], serializer.validated_data)
