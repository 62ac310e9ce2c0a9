"""The form that launches a training: every setting of every family as a field of its own, with its default and help."""

from dataclasses import fields as dataclass_fields
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from recommender.models import TrainingRun
from recommender.runs.configs import CONFIGS, checked
from recommender.runs.data_filter import SOURCES, DataFilter

#: What each setting does, by its name; families share the names that mean the same.
HELP = {
    "factors": _("Length of an anime's vector. Longer vectors distinguish more, and cost time and memory."),
    "epochs": _("Number of passes over the training data."),
    "batch_size": _("Number of examples in a step."),
    "learning_rate": _("How far a step goes. When the loss is not a number, make it smaller."),
    "clusters": _("How many groups the anime are sorted into."),
    "seed": _("Decides everything random. The same seed, data and settings give the same model."),
    "l2": _("Ridge of the item-item teacher, in interactions: larger trusts rare anime less."),
    "dropout_ridge": _("Ridge of the teacher that grows with an anime's popularity."),
    "short_dropout_ridge": _("The same ridge for the teacher of people who have rated little."),
    "short_weight": _("How much that teacher counts for them; 0 leaves it out."),
    "unrated_weight": _("What an anime that was watched and not rated counts; one that was rated counts 1."),
    "franchise_weight": _("Interactions that two anime of the same title are taken to share."),
    "popularity_weight": _("How much popularity counts for people who have rated little."),
    "temperature": _("How sharply the teacher's favourites are learnt, for a history of one anime."),
    "temperature_decay": _("How fast that falls with the length of the history."),
    "steps_per_epoch": _("Batches in an epoch."),
    "max_teacher_items": _("The most rated anime that the teacher covers. Memory grows with its square."),
    "rating_factors": _("Length of the vectors that predict ratings."),
    "rating_iterations": _("How often the fit of the predicted ratings is improved."),
}
FILTER_HELP = {
    "min_user_ratings": _("People with fewer are left out."),
    "min_anime_ratings": _("Anime with fewer, from the people who are left, are left out."),
}
SOURCE_LABELS = dict(zip(SOURCES, (_("Everyone"), _("Accounts of this site"), _("Members of data sets")), strict=True))


def setting_field(family: str, name: str) -> str:
    """The form's name for a setting of a family."""
    return f"{family}__{name}"


class LaunchForm(forms.ModelForm[TrainingRun]):
    """A new training. A setting that is left empty has its default; those of other families are not looked at."""

    source = forms.ChoiceField(label=_("ratings of"), choices=list(SOURCE_LABELS.items()), initial=SOURCES[0])
    min_user_ratings = forms.IntegerField(
        label=_("minimum ratings of a person"), initial=1, required=False, help_text=FILTER_HELP["min_user_ratings"]
    )
    min_anime_ratings = forms.IntegerField(
        label=_("minimum ratings of an anime"), initial=1, required=False, help_text=FILTER_HELP["min_anime_ratings"]
    )

    class Meta:
        model = TrainingRun
        fields = ["family", "publishes_itself", "warm_start"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for family, config in CONFIGS.items():
            for field in dataclass_fields(config):
                is_whole = isinstance(field.default, int)
                kind, step = (forms.IntegerField, 1) if is_whole else (forms.FloatField, "any")
                self.fields[setting_field(family, field.name)] = kind(
                    label=field.name.replace("_", " "),
                    initial=field.default,
                    required=False,
                    help_text=HELP.get(field.name, ""),
                    widget=forms.NumberInput(attrs={"step": step}),
                )
        for one in self.fields.values():
            one.label = capfirst(one.label)

    @classmethod
    def fieldsets(cls) -> list[tuple[Any, dict[str, Any]]]:
        """For the admin: what is always asked, and one set for each family, which the style sheet shows in turn."""
        sets: list[tuple[Any, dict[str, Any]]] = [
            (None, {"fields": cls.Meta.fields}),
            (_("Data"), {"fields": DataFilter.field_names()}),
        ]
        for family, config in CONFIGS.items():
            names = [setting_field(family, name) for name in config.field_names()]
            label = TrainingRun.Family(family).label
            sets.append((label, {"fields": names, "classes": ["family", f"family-{family}"]}))
        return sets

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        family = cleaned.get("family")
        if family in CONFIGS:
            settings = self._given(CONFIGS[family].field_names(), f"{family}__")
            cleaned["config"] = self._checked(lambda: checked(family, settings), f"{family}__")
        chosen = self._given(DataFilter.field_names(), "")
        cleaned["data_filter"] = self._checked(lambda: DataFilter.from_dict(chosen).to_dict(), "")
        return cleaned

    def _given(self, names: tuple[str, ...], prefix: str) -> dict[str, Any]:
        values = {name: self.cleaned_data.get(prefix + name) for name in names}
        return {name: value for name, value in values.items() if value not in (None, "")}

    def _checked(self, check: Any, prefix: str) -> dict[str, Any]:
        """What `check` returns; its ValueError, which begins with the setting's name, becomes that field's error."""
        try:
            result: dict[str, Any] = check()
        except ValueError as error:
            name = prefix + str(error).split(" ", 1)[0]
            self.add_error(name if name in self.fields else None, str(error))
            return {}
        return result
