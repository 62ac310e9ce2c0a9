"""/api/v1/staff/experiments/, judgements/ and reviews/: the judge and people over it, for programs of staff."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.auth import Conflict
from catalog.api.me import IDEMPOTENCY_KEY, viewer
from catalog.api.staff import StaffViewSet
from common.api.fields import BoundedKeysField
from common.api.idempotency import idempotent
from common.api.pagination import NumberedPages
from evaluation.judging.admin.forms import FIELDSETS
from evaluation.judging.models import MAX_SCORE, MIN_SCORE, Experiment, ItemScore, Judgement, Review
from evaluation.judging.results.summary import as_dict, results
from evaluation.judging.review import reviewing
from evaluation.judging.running import services
from recommender.models import TrainingRun

VIEW, ADD, RUN = "evaluation.view_experiment", "evaluation.add_experiment", "evaluation.run_experiment"
VIEW_JUDGEMENT, REVIEW = "evaluation.view_judgement", "evaluation.change_review"
#: What describes an experiment; the admin's form has the same.
DESCRIBED = [name for _title, options in FIELDSETS for name in options["fields"]]
MAX_ID = 2**31 - 1


class ExperimentSerializer(serializers.ModelSerializer[Experiment]):
    runs = BoundedKeysField(
        max_length=100,
        required=False,
        queryset=TrainingRun.objects.with_model(),
        help_text="Training runs with a model.",
    )
    created_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)

    class Meta:
        model = Experiment
        fields = [
            "id", *DESCRIBED, "state", "error", "prompt_version", "tokens_reserved", "tokens_spent", "money_reserved",
            "money_spent", "created_by", "created_at", "started_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = [name for name in fields if name not in DESCRIBED]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        described = {name: value for name, value in attrs.items() if name != "runs"}
        if found := services.problem(Experiment(**described), n_runs=len(attrs.get("runs", ()))):
            raise serializers.ValidationError(found)
        return attrs


class ItemScoreSerializer(serializers.ModelSerializer[ItemScore]):
    class Meta:
        model = ItemScore
        fields = ["id", "anime_id", "position", "score", "explanation", "same_franchise"]


class JudgementSummarySerializer(serializers.ModelSerializer[Judgement]):
    experiment_id = serializers.IntegerField(read_only=True)
    contestant = serializers.CharField(source="contestant.label", read_only=True)
    against = serializers.CharField(
        source="against.label", default=None, read_only=True, allow_null=True, help_text="The second of a pair."
    )
    person = serializers.IntegerField(source="subject_id", read_only=True)
    ratings = serializers.CharField(source="subject.stratum", read_only=True, help_text="How many, as a range.")
    metrics = serializers.DictField(child=serializers.FloatField(), read_only=True)
    preferred = serializers.SerializerMethodField(help_text="Of a pair; null of one list, or without an answer.")

    class Meta:
        model = Judgement
        fields = [
            "id", "experiment_id", "contestant", "against", "person", "ratings", "repeat", "state", "reason", "overall",
            "preferred", "summary", "metrics", "model", "prompt_version", "attempts", "tokens_in", "tokens_out", "cost",
            "latency_s", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=Judgement.Preferred.choices, allow_null=True))
    def get_preferred(self, judgement: Judgement) -> str | None:
        return judgement.preferred or None


class JudgementSerializer(JudgementSummarySerializer):
    watched = serializers.ListField(source="subject.watched", child=serializers.IntegerField(), read_only=True)
    recommended = serializers.JSONField(read_only=True, help_text="Anime in their order; of a pair two such lists.")
    messages = serializers.ListField(child=serializers.DictField(), read_only=True, help_text="What was asked.")
    items = ItemScoreSerializer(many=True, read_only=True)

    class Meta(JudgementSummarySerializer.Meta):
        fields = [*JudgementSummarySerializer.Meta.fields, "watched", "recommended", "messages", "raw_answer", "items"]
        read_only_fields = fields


class ReviewSerializer(serializers.ModelSerializer[Review]):
    reviewer = serializers.CharField(source="reviewer.username", read_only=True)
    experiment_id = serializers.IntegerField(source="item.judgement.experiment_id", read_only=True)
    anime_id = serializers.IntegerField(source="item.anime_id", read_only=True)
    watched = serializers.ListField(
        source="item.judgement.subject.watched", child=serializers.IntegerField(), read_only=True
    )
    judge_score = serializers.SerializerMethodField(help_text="Null until there is an own score.")
    judge_explanation = serializers.SerializerMethodField(help_text="Null until there is an own score.")

    class Meta:
        model = Review
        fields = [
            "id", "experiment_id", "reviewer", "state", "anime_id", "watched", "score", "judge_score",
            "judge_explanation", "agrees", "comment", "assigned_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_judge_score(self, review: Review) -> int | None:
        return review.item.score if review.score is not None else None

    def get_judge_explanation(self, review: Review) -> str | None:
        return review.item.explanation if review.score is not None else None


class JudgementQuerySerializer(serializers.Serializer[Any]):
    experiment = serializers.IntegerField(
        min_value=1, max_value=MAX_ID, required=False, help_text="Of this experiment alone."
    )
    person = serializers.IntegerField(
        min_value=1, max_value=MAX_ID, required=False, help_text="Of lists for this person alone."
    )
    state = serializers.ChoiceField(choices=Judgement.State.choices, required=False)


class ReviewQuerySerializer(serializers.Serializer[Any]):
    experiment = serializers.IntegerField(
        min_value=1, max_value=MAX_ID, required=False, help_text="Of this experiment alone."
    )
    state = serializers.ChoiceField(choices=Review.State.choices, required=False)


class AskedReviewSerializer(serializers.Serializer[Any]):
    experiment_id = serializers.IntegerField(min_value=1, max_value=MAX_ID)


class AnswerSerializer(serializers.Serializer[Any]):
    """First `score`, or `skip`; when the judge's is known `agrees`, with or without a `comment`."""

    score = serializers.IntegerField(min_value=MIN_SCORE, max_value=MAX_SCORE, required=False)
    agrees = serializers.BooleanField(required=False)
    comment = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    skip = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in ("score", "agrees", "skip")) != 1:
            raise serializers.ValidationError("Give one of score, agrees and skip.")
        if "comment" in attrs and "agrees" not in attrs:
            raise serializers.ValidationError({"comment": "It comes with agrees."})
        if attrs.get("skip") is False:
            raise serializers.ValidationError({"skip": "Leave it out, or say true."})
        return attrs


class ForStaff(StaffViewSet):
    """What the three have in common: permissions of the admin, and pages of latest rows."""

    pagination_class = NumberedPages

    def _asked(self, query: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """By what a list is narrowed; nothing where one row is asked for. Raises ValidationError on the query."""
        if self.action != "list":
            return {}
        asked = query(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)


@extend_schema_view(
    list=extend_schema(summary="Experiments, latest first"),
    retrieve=extend_schema(summary="One experiment, and what it has spent"),
)
class ExperimentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ForStaff):
    queryset = Experiment.objects.none()
    serializer_class = ExperimentSerializer
    needs: ClassVar = {
        "list": VIEW, "retrieve": VIEW, "metadata": VIEW, "results": VIEW, "create": ADD,
        "launch": RUN, "cancel": RUN, "resume": RUN,
    }  # fmt: skip

    def get_queryset(self) -> QuerySet[Experiment]:
        return Experiment.objects.select_related("created_by").prefetch_related("runs")

    @extend_schema(summary="Describe an experiment: a draft, which asks nothing yet", parameters=[IDEMPOTENCY_KEY])
    @idempotent
    def create(self, request: Request) -> Response:
        asked = ExperimentSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        experiment = asked.save(created_by=viewer(request))
        return self._again(experiment, status.HTTP_201_CREATED)

    @extend_schema(
        summary="Launch a draft",
        description="409 when it is none, or no judge is configured.",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
    )
    @action(detail=True, methods=["post"])
    @idempotent
    def launch(self, request: Request, id: int) -> Response:
        return self._after(services.launch)

    @extend_schema(
        summary="Cancel an experiment",
        description="409 when it does not run.",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
    )
    @action(detail=True, methods=["post"])
    @idempotent
    def cancel(self, request: Request, id: int) -> Response:
        return self._after(services.cancel)

    @extend_schema(
        summary="Ask again for what has no score",
        description="409 when it runs, or all is scored.",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
    )
    @action(detail=True, methods=["post"])
    @idempotent
    def resume(self, request: Request, id: int) -> Response:
        return self._after(services.resume)

    @extend_schema(
        summary="What came of it so far",
        description="Means, effects, win rates and agreement with their 95 % intervals, as in docs/evaluation.md.",
        responses={200: OpenApiTypes.OBJECT},
    )
    @action(detail=True, methods=["get"])
    def results(self, request: Request, id: int) -> Response:
        return Response(as_dict(results(self.get_object())))

    def _after(self, act: Callable[..., Any]) -> Response:
        experiment = self.get_object()
        try:
            act(experiment=experiment)
        except services.NotPossible as error:
            raise Conflict(str(error)) from error
        return self._again(experiment)

    def _again(self, experiment: Experiment, code: int = status.HTTP_200_OK) -> Response:
        return Response(ExperimentSerializer(self.get_queryset().get(pk=experiment.pk)).data, status=code)


@extend_schema_view(
    list=extend_schema(
        summary="Judgements, latest first",
        parameters=[JudgementQuerySerializer],
        responses=JudgementSummarySerializer(many=True),
    ),
    retrieve=extend_schema(summary="One judgement: what was asked, and what the judge said"),
)
class JudgementViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ForStaff):
    queryset = Judgement.objects.none()
    serializer_class = JudgementSerializer
    needs: ClassVar = {"list": VIEW_JUDGEMENT, "retrieve": VIEW_JUDGEMENT, "metadata": VIEW_JUDGEMENT}

    def get_queryset(self) -> QuerySet[Judgement]:
        asked = self._asked(JudgementQuerySerializer)
        if "person" in asked:
            asked["subject"] = asked.pop("person")
        rows = Judgement.objects.filter(**asked).select_related("contestant", "against", "subject")
        return rows.defer("messages", "raw_answer") if self.action == "list" else rows.prefetch_related("items")

    def get_serializer_class(self) -> type[JudgementSummarySerializer]:
        return JudgementSummarySerializer if self.action == "list" else JudgementSerializer


@extend_schema_view(
    list=extend_schema(summary="My reviews, latest first", parameters=[ReviewQuerySerializer]),
    retrieve=extend_schema(summary="One of my reviews"),
)
class ReviewViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ForStaff):
    queryset = Review.objects.none()
    serializer_class = ReviewSerializer
    needs: ClassVar = dict.fromkeys(("list", "retrieve", "metadata", "create", "partial_update"), REVIEW)

    def get_queryset(self) -> QuerySet[Review]:
        asked = self._asked(ReviewQuerySerializer)
        if "experiment" in asked:
            asked["item__judgement__experiment"] = asked.pop("experiment")
        rows = Review.objects.filter(reviewer=viewer(self.request), **asked)
        return rows.select_related("reviewer", "item__judgement__subject")

    @extend_schema(
        summary="Get the next anime to review",
        description="What was begun comes back until it is answered. 409 when nothing is left.",
        parameters=[IDEMPOTENCY_KEY],
        request=AskedReviewSerializer,
        responses={200: ReviewSerializer},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        asked = AskedReviewSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        experiment = Experiment.objects.filter(pk=asked.validated_data["experiment_id"]).first()
        if experiment is None:
            raise serializers.ValidationError({"experiment_id": "There is no such experiment."})
        review = reviewing.next_review(reviewer=viewer(request), experiment=experiment)
        if review is None:
            raise Conflict("Nothing is left for you to review in this experiment.")
        return self._again(review)

    @extend_schema(
        summary="Answer one of my reviews",
        description=f"{AnswerSerializer.__doc__} 409 out of turn.",
        request=AnswerSerializer,
        responses={200: ReviewSerializer},
    )
    def partial_update(self, request: Request, id: int) -> Response:
        review = self.get_object()
        asked = AnswerSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        try:
            if "score" in said:
                reviewing.rate(review=review, score=said["score"])
            elif "agrees" in said:
                reviewing.conclude(review=review, agrees=said["agrees"], comment=said.get("comment", ""))
            else:
                reviewing.skip(review=review)
        except reviewing.NotPossible as error:
            raise Conflict(str(error)) from error
        return self._again(review)

    def _again(self, review: Review) -> Response:
        return Response(ReviewSerializer(self.get_queryset().get(pk=review.pk)).data)
