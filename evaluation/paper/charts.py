"""The findings of a reproduction as pictures: SVG text by name. No Django."""

from collections.abc import Callable
from typing import Any

from common.charts import Bars, Series, Text, bar_chart, line_chart, scatter_chart

Findings = dict[str, Any]

EXACT, NEAREST = "exact", "nearest cluster"


def figures(findings: Findings) -> dict[str, str]:
    """Every figure of the report, as SVG."""
    builders: dict[str, Callable[[Findings], str]] = {
        "training": training,
        "methods": methods,
        "inertia": lambda f: choice_curve(f, "inertia", "Inertia", "Sum of squared distances to the nearest centroid"),
        "silhouette": lambda f: choice_curve(f, "silhouette", "Silhouette", "Higher is better"),
        "davies_bouldin": lambda f: choice_curve(f, "davies_bouldin", "Davies-Bouldin index", "Lower is better"),
        "entropy": lambda f: choice_curve(f, "entropy", "Normalised entropy of sizes", "1: clusters of one size"),
        "cluster_sizes": cluster_sizes,
        "plane": plane,
        "probe_curve": probe_curve,
        "time_by_users": time_by_users,
        "time_by_items": lambda f: by_items(f, "ms", "Milliseconds for a list"),
        "work_by_items": lambda f: by_items(f, "distances", "Distances computed for a list"),
        "errors_as_published": lambda f: seen_user_errors(
            f, "as_published", "all ratings of seen users, predictions rounded"
        ),
        "errors_held_back": lambda f: seen_user_errors(f, "held_back", "ratings held back"),
    }
    return {name: build(findings) for name, build in builders.items()}


def training(findings: Findings) -> str:
    epochs = findings["training"]
    x = [row["epoch"] for row in epochs]
    text = Text(
        "Training curve",
        f"Mean squared error by epoch; after the last it is {epochs[-1]['train_loss']:.3f} on the training ratings and "
        f"{epochs[-1]['validation_mse']:.3f} on those held back for validation.",
        "epoch",
        "mean squared error",
    )
    lines = [
        Series("training", x, [row["train_loss"] for row in epochs]),
        Series("validation", x, [row["validation_mse"] for row in epochs]),
    ]
    return line_chart(text, lines, log_y=True)


def methods(findings: Findings) -> str:
    rows = findings["methods"]
    values = [row["metrics"]["ndcg@10"] for row in rows]
    text = Text(
        "NDCG@10 of every method",
        "; ".join(f"{row['title']} {mean:.3f}" for row, (mean, _, _) in zip(rows, values, strict=True)),
        "method, by its number in the table",
        "NDCG@10",
    )
    bars = Bars("NDCG@10", [mean for mean, _, _ in values], [(low, high) for _, low, high in values])
    return bar_chart(text, [str(number) for number in range(1, len(rows) + 1)], [bars])


def choice_curve(findings: Findings, name: str, title: str, description: str) -> str:
    choice = findings["cluster_choice"]
    text = Text(f"{title} by number of clusters", description, "clusters", title.lower())
    return line_chart(text, [Series(title, choice["k"], choice[name])])


def cluster_sizes(findings: Findings) -> str:
    sizes = findings["cluster_sizes"]
    names = {"kmeans": "K-means", "gmm": "Gaussian mixture"}
    text = Text(
        "Sizes of the clusters, largest first",
        "; ".join(f"{name}: {sizes[key][0]} to {sizes[key][-1]} anime" for key, name in names.items()),
        "cluster, by rank of size",
        "anime",
    )
    lines = [Series(name, range(1, len(sizes[key]) + 1), sizes[key]) for key, name in names.items()]
    return line_chart(text, lines)


def plane(findings: Findings) -> str:
    view = findings["plane"]
    first, second = (f"{share:.1%} of the variance" for share in view["explained"])
    text = Text(
        "The anime in the plane of two principal components",
        f"Each point is an anime. The components explain {first} and {second}.",
        f"first component ({first})",
        f"second component ({second})",
    )
    return scatter_chart(text, [Series(group["name"], group["x"], group["y"]) for group in view["groups"]])


def probe_curve(findings: Findings) -> str:
    names = {"euclidean": "Euclidean", "dot": "dot product"}
    text = Text(
        "Quality by work, from the nearest cluster to all",
        "NDCG@10 by the number of distances computed for a list; the last point of each line is exact search.",
        "distances computed for a list",
        "NDCG@10",
    )
    lines = [
        Series(names[metric], [row["distances"] for row in rows], [row["ndcg"] for row in rows])
        for metric, rows in findings["probe_curve"].items()
    ]
    return line_chart(text, lines, log_x=True)


def time_by_users(findings: Findings) -> str:
    rows = findings["search_cost"]["by_users"]
    text = Text(
        "Milliseconds for a list, by number of users",
        "Lists of 10, exact and in the nearest cluster, made one at a time.",
        "users",
        "ms for a list",
    )
    bars = [Bars(EXACT, [row["exact_ms"] for row in rows]), Bars(NEAREST, [row["cluster_ms"] for row in rows])]
    return bar_chart(text, [str(row["users"]) for row in rows], bars)


def by_items(findings: Findings, unit: str, title: str) -> str:
    rows = findings["search_cost"]["by_items"]
    sizes = [row["items"] for row in rows]
    text = Text(
        f"{title}, by size of the catalogue",
        "Lists of 10, exact and in the nearest of sqrt(n) clusters; both axes are logarithmic.",
        "anime",
        f"{unit} for a list",
    )
    lines = [
        Series(EXACT, sizes, [row[f"exact_{unit}"] for row in rows]),
        Series(NEAREST, sizes, [row[f"cluster_{unit}"] for row in rows]),
    ]
    return line_chart(text, lines, log_x=True, log_y=True)


def seen_user_errors(findings: Findings, key: str, ratings: str) -> str:
    rows = [row for row in findings["seen_user_errors"][key] if row["users_in_cluster"]]
    text = Text(
        f"Error of predicted ratings: {ratings}",
        "Mean over seen users of their mean squared error, over all they rated and over their nearest cluster.",
        "seen users",
        "mean squared error",
    )
    bars = [
        Bars("all rated anime", [row["all_anime"] for row in rows]),
        Bars("those of the nearest cluster", [row["nearest_cluster"] for row in rows]),
    ]
    return bar_chart(text, [str(row["users"]) for row in rows], bars)
