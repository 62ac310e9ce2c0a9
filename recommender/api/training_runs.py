"""/api/v1/staff/runs/: what staff do with training runs in the admin, for programs."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.auth import Conflict
from catalog.api.me import IDEMPOTENCY_KEY, viewer
from catalog.api.staff import StaffViewSet
from common.api.idempotency import idempotent
from common.api.requests import revalidated
from recommender.models import TrainingRun
from recommender.runs import lifecycle, services

VIEW, TRAIN, PUBLISH = "recommender.view_trainingrun", "recommender.train", "recommender.publish"


class RunSummarySerializer(serializers.ModelSerializer[TrainingRun]):
    version = serializers.CharField(read_only=True)
    started_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)
    seconds_left = serializers.FloatField(read_only=True, allow_null=True)

    class Meta:
        model = TrainingRun
        fields = [
            "id", "version", "family", "state", "phase", "progress", "seconds_left", "cause", "started_by",
            "publishes_itself", "error", "waits_because", "created_at", "started_at", "finished_at", "published_at",
        ]  # fmt: skip
        read_only_fields = fields


class RunSerializer(RunSummarySerializer):
    config = serializers.DictField(read_only=True)
    data_filter = serializers.DictField(read_only=True)
    counts = serializers.DictField(read_only=True)
    metrics = serializers.DictField(read_only=True)
    losses = serializers.ListField(child=serializers.DictField(), read_only=True, help_text="One entry an epoch.")

    class Meta(RunSummarySerializer.Meta):
        fields = [*RunSummarySerializer.Meta.fields, "config", "data_filter", "counts", "metrics", "losses"]
        read_only_fields = fields


class LaunchSerializer(serializers.Serializer[Any]):
    family = serializers.ChoiceField(choices=TrainingRun.Family.choices, default=TrainingRun.Family.HISTORY.value)
    config = serializers.DictField(
        required=False, help_text="Settings of the family by name; those left out have their defaults."
    )
    data_filter = serializers.DictField(
        required=False, help_text="Which ratings: `source`, `min_user_ratings`, `min_anime_ratings`."
    )
    warm_start = serializers.BooleanField(default=False)
    publishes_itself = serializers.BooleanField(default=True)


@revalidated
@extend_schema_view(
    list=extend_schema(summary="Training runs, latest first", responses=RunSummarySerializer(many=True)),
    retrieve=extend_schema(summary="One training run, and how it goes"),
)
class TrainingRunViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, StaffViewSet):
    queryset = TrainingRun.objects.none()
    serializer_class = RunSerializer
    needs: ClassVar = {
        "list": VIEW, "retrieve": VIEW, "create": TRAIN, "cancel": TRAIN, "publish": PUBLISH, "roll_back": PUBLISH,
        "metadata": VIEW,
    }  # fmt: skip

    def get_queryset(self) -> QuerySet[TrainingRun]:
        return TrainingRun.objects.select_related("started_by")

    def get_serializer_class(self) -> type[RunSummarySerializer]:
        return RunSummarySerializer if self.action == "list" else RunSerializer

    @extend_schema(
        summary="Launch a training",
        parameters=[IDEMPOTENCY_KEY],
        request=LaunchSerializer,
        responses={201: RunSerializer},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        asked = LaunchSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            run = services.launch_training(started_by=viewer(request), **asked.validated_data)
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        return Response(RunSerializer(run).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Cancel a training",
        description="409 when it has ended.",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
    )
    @action(detail=True, methods=["post"])
    @idempotent
    def cancel(self, request: Request, id: int) -> Response:
        run = self.get_object()
        try:
            services.cancel(run)
        except lifecycle.ImpossibleMove as error:
            raise Conflict(str(error)) from error
        return self._again(run)

    @extend_schema(
        summary="Publish a run's model",
        description="409 when it has none that can be served.",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
    )
    @action(detail=True, methods=["post"])
    @idempotent
    def publish(self, request: Request, id: int) -> Response:
        run = self.get_object()
        try:
            services.publish(run)
        except services.PublishError as error:
            raise Conflict(str(error)) from error
        return self._again(run)

    @extend_schema(
        summary="Publish the model that was served before",
        description="409 when there is none.",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=RunSerializer,
    )
    @action(detail=False, methods=["post"], url_path="roll-back")
    @idempotent
    def roll_back(self, request: Request) -> Response:
        try:
            run = services.roll_back()
        except services.PublishError as error:
            raise Conflict(str(error)) from error
        return self._again(run)

    def _again(self, run: TrainingRun) -> Response:
        return Response(RunSerializer(self.get_queryset().get(pk=run.pk)).data)
