"""/api/v1/staff/evaluations/: what was measured of models, and measuring them, for programs of staff."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.me import IDEMPOTENCY_KEY
from catalog.api.staff import StaffViewSet
from common.api.idempotency import idempotent
from common.api.requests import revalidated
from evaluation.models import Evaluation
from evaluation.runs import services
from recommender.models import TrainingRun

VIEW, EVALUATE = "evaluation.view_evaluation", "evaluation.evaluate"


class EvaluationSummarySerializer(serializers.ModelSerializer[Evaluation]):
    run_id = serializers.IntegerField(read_only=True)

    class Meta:
        model = Evaluation
        fields = [
            "id", "run_id", "protocol", "seed", "n_users", "users", "state", "step", "error",
            "created_at", "started_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


class EvaluationSerializer(EvaluationSummarySerializer):
    methods = serializers.ListField(
        child=serializers.DictField(), read_only=True, help_text="Every metric of each method: mean, low, high."
    )
    differences = serializers.ListField(child=serializers.DictField(), read_only=True)

    class Meta(EvaluationSummarySerializer.Meta):
        fields = [*EvaluationSummarySerializer.Meta.fields, "methods", "differences"]
        read_only_fields = fields


class AskedEvaluationSerializer(serializers.Serializer[Any]):
    run_id = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    n_users = serializers.IntegerField(min_value=1, max_value=100_000, default=500)


@revalidated
@extend_schema_view(
    list=extend_schema(summary="Evaluations, latest first", responses=EvaluationSummarySerializer(many=True)),
    retrieve=extend_schema(summary="One evaluation, with what it measured"),
)
class EvaluationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, StaffViewSet):
    queryset = Evaluation.objects.none()
    serializer_class = EvaluationSerializer
    needs: ClassVar = {"list": VIEW, "retrieve": VIEW, "create": EVALUATE, "metadata": VIEW}

    def get_queryset(self) -> QuerySet[Evaluation]:
        # What two runs are compared by is long, and no client's to read.
        return Evaluation.objects.defer("per_user")

    def get_serializer_class(self) -> type[EvaluationSummarySerializer]:
        return EvaluationSummarySerializer if self.action == "list" else EvaluationSerializer

    @extend_schema(
        summary="Measure a run's model",
        description="Answers with the evaluation that there is already, if there is one of this seed.",
        parameters=[IDEMPOTENCY_KEY],
        request=AskedEvaluationSerializer,
        responses={201: EvaluationSerializer},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        asked = AskedEvaluationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        run = TrainingRun.objects.filter(pk=asked.validated_data.pop("run_id")).first()
        if run is None:
            raise serializers.ValidationError({"run_id": "There is no such training run."})
        try:
            evaluation = services.request_evaluation(run, **asked.validated_data)
        except ValueError as error:
            raise serializers.ValidationError({"run_id": str(error)}) from error
        return Response(EvaluationSerializer(evaluation).data, status=status.HTTP_201_CREATED)
