"""The form by which staff describe an experiment."""

from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from evaluation.judging.models import Experiment
from evaluation.judging.running import services
from recommender.models import TrainingRun

#: What may change when an experiment was launched: nothing of what was asked.
ALWAYS_OPEN = ("name", "token_budget", "money_budget", "reviewers_per_item")
FIELDSETS: list[tuple[Any, Any]] = [
    (None, {"fields": ["name"]}),
    (_("Whose lists"), {"fields": ["runs", "with_popularity", "with_random", "list_length"]}),
    (_("For whom"), {"fields": ["people", "n_users", "n_watched", "watched_choice", "seed"]}),
    (_("How they are judged"), {"fields": ["judge_model", "language", "repeats", "pairwise", "in_batches"]}),
    (_("Budget"), {"fields": ["token_budget", "money_budget"]}),
    (_("Review"), {"fields": ["reviewers_per_item"]}),
]
HELP = {
    "name": _("What it is to find out, such as: is the new model better than the old one?"),
    "people": _(
        "Half of each one's ratings is kept from the models, and their lists are measured by it; "
        "of an account's, nothing is."
    ),
    "n_users": _(
        "How many, as equally many of each range of numbers of ratings as there are. More people, narrower intervals."
    ),
    "list_length": _("Anime in each list."),
    "n_watched": _(
        "How many of a person's rated anime the judge sees; the models see all that are not kept from them."
    ),
    "seed": _(
        "Decides who is drawn, what is shown and in which order. The same seed asks the same, and is answered from "
        "what is stored."
    ),
    "language": _("In which the judge is asked and explains."),
    "token_budget": _("Of questions and answers together. Nothing is asked that could go beyond it."),
    "money_budget": _("In the currency of the prices that the server is configured with."),
}


class RunsField(forms.ModelMultipleChoiceField[TrainingRun]):
    """Models with their state, as which one is served matters."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj} ({obj.get_state_display()}, {obj.created_at:%Y-%m-%d})"


class ExperimentForm(forms.ModelForm[Experiment]):
    runs = RunsField(
        label=_("models"),
        queryset=TrainingRun.objects.with_model().order_by("-pk"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Whose lists are judged, as the site would serve them."),
    )

    class Meta:
        model = Experiment
        fields = [name for _title, options in FIELDSETS for name in options["fields"]]
        help_texts = HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for one in self.fields.values():
            one.label = capfirst(one.label)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "runs" in self.fields and not self.errors:
            draft = Experiment(**{name: value for name, value in cleaned.items() if name != "runs"})
            if found := services.problem(draft, n_runs=len(cleaned["runs"])):
                self.add_error(None, found)
        return cleaned
