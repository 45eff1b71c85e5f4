"""The model card of released weights, and the loss that rounding the weights causes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.report.templating import TEMPLATES
from gaborscope.stimuli.block import Predicts, StimulusBlock

FACTS = ("source", "images", "observers", "task", "licence")
SHOWN = ("auc_judd", "auc_shuffled", "nss", "cc", "kld", "sim", "ig")


def rounding(
    exact: Predicts, rounded: Predicts, blocks: Sequence[StimulusBlock]
) -> dict[str, float]:
    """
    Compare the predictions of exact and of rounded weights.

    Parameters
    ----------
    exact, rounded : predictor.Predictor
    blocks : sequence of StimulusBlock

    Returns
    -------
    loss : dict of str to float
        Over all stimuli: `n`, their number; `kld`, the largest divergence in nats; `cc`, the
        smallest correlation; `log_ratio`, the largest difference of the log-density at any pixel.
    """
    klds, ccs, ratios = [], [], []
    for block in blocks:
        for index in range(len(block.names)):
            p, q = (predictor.predict(block.image(index)).ravel() for predictor in (exact, rounded))
            ratio = np.log(p / q)
            klds.append(float(p @ ratio))
            ccs.append(float(np.corrcoef(p, q)[0, 1]))
            ratios.append(float(np.abs(ratio).max()))
    return {"n": len(klds), "kld": max(klds), "cc": min(ccs), "log_ratio": max(ratios)}


def card(
    description: Mapping[str, Any],
    test: Sequence[StimulusBlock],
    loss: Mapping[str, Any],
    summary: pd.DataFrame,
    names: tuple[str, str, str],
) -> str:
    """
    Model card of released weights, as Markdown.

    Parameters
    ----------
    description : dict
        Description stored with the weights.
    test : sequence of StimulusBlock
    loss : dict
        From `rounding`.
    summary : DataFrame
        As `results/summary.csv`.
    names : (str, str, str)
        Model, data set, explanation.

    Returns
    -------
    text : str
    """
    model, dataset, explanation = names
    params = json.loads(description["params"])
    recipe = params["training"]
    trained_on = description["trained_on"][-1]
    return (
        (TEMPLATES / "model_card.md")
        .read_text(encoding="utf-8")
        .format(
            model=model,
            dataset=dataset,
            explanation=explanation,
            facts={**dict.fromkeys(FACTS, "not known"), **test[0].facts},
            trained_on=trained_on,
            fit=_list(trained_on["blocks"]),
            chosen=_list(trained_on["chosen_on_blocks"]),
            loss=loss,
            size=params["backbone"]["input"],
            recipe=recipe,
            best=min(description["history"], key=lambda row: _combined(row, recipe["loss"])),
            seed=description["seed"],
            commit=description["commit"],
            table=_table(summary, model, dataset, explanation),
        )
    )


def _combined(row, weights):
    return row["kld"] - weights["cc"] * row["cc"] - weights["nss"] * row["nss"]


def _list(names):
    return ", ".join(str(int(name)) for name in names)


def _table(summary, model, dataset, explanation):
    part = summary[(summary["preset"] == "mit") & (summary["dataset"] == dataset)]
    lines = ["| predictor | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]
    for predictor in ("centre_bias", model, f"{model}-{explanation}", "gold_standard"):
        scores = part[part["predictor"] == predictor].set_index("metric")
        cells = [
            "{mean:.3f} [{ci_low:.3f}, {ci_high:.3f}]".format(**scores.loc[metric])
            for metric in SHOWN
        ]
        lines.append(f"| {predictor} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
