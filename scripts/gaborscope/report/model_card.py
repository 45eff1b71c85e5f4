"""The model card of released weights, and the loss that rounding the weights causes."""

import json
import re
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


def last_training(trained_on: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """
    Return the entries of `trained_on` that the last training wrote.

    Parameters
    ----------
    trained_on : list of dict
        As weights carry it, see `scoring.exposure`.

    Returns
    -------
    entries : list of dict
        One for each data set that the training had at once.
    """
    pool = trained_on[-1].get("pool")
    if pool is None:
        return [trained_on[-1]]
    return [entry for entry in trained_on if entry.get("pool") == pool]


def card(
    description: Mapping[str, Any],
    test: Mapping[str, Sequence[StimulusBlock]],
    loss: Mapping[str, Any],
    tables: Sequence[pd.DataFrame | None],
    names: tuple[str, str, str],
    kl: Mapping[str, float],
) -> str:
    """
    Model card of released weights, as Markdown.

    Parameters
    ----------
    description : dict
        Description stored with the weights.
    test : dict of str to sequence of StimulusBlock
        By data set.
    loss : dict
        From `rounding`.
    tables : (DataFrame, DataFrame or None)
        As `results/summary.csv` and `results/fidelity.csv`.
    names : (str, str, str)
        Model, the name of all files before their endings, and the config of the run.
    kl : dict of str to float
        By explanation, its mean KL in bits to the network's map on the validation split.

    Returns
    -------
    text : str
    """
    model, stem, config = names
    entries = last_training(description["trained_on"])
    summary, close = tables
    ordered = sorted(kl, key=kl.__getitem__)
    return (
        (TEMPLATES / "model_card.md")
        .read_text(encoding="utf-8")
        .format(
            model=model,
            stem=stem,
            config=config,
            datasets=", ".join(test),
            explanations=" ".join(ordered),
            files="\n".join(f"| `{stem}_{name}.h5` | {_described(name)} |" for name in ordered),
            data="\n".join(_data(name, blocks[0].facts) for name, blocks in test.items()),
            splits="\n".join(_split(entry, test[entry["dataset"]]) for entry in entries),
            n_blocks=entries[0]["n_blocks"],
            rule=_rule(ordered, kl),
            loss=loss,
            size=json.loads(description["params"])["backbone"]["input"],
            recipe=_recipe(description),
            tables="\n\n".join(
                f"On {name}:\n\n{_table(summary, model, name, ordered)}" for name in test
            ),
            nulls="" if close is None else _beside_nulls(close, model, list(test), ordered),
        )
    )


def _described(name):
    return f"the explanation `{name}`: filters, weights, fusion; float32, not rounded"


def _data(dataset, facts):
    facts = {**dict.fromkeys(FACTS, "not known"), **facts}
    seconds = f"{facts['duration_s']:g} s" if facts.get("duration_s") else "time not known"
    return (
        f"  - {dataset}: {facts['source']}; images: {facts['images']}; observers: "
        f"{facts['observers']}; task: {facts['task']}, {seconds}. Licence: {facts['licence']}."
    )


def _split(entry, blocks):
    n = sum(len(block.names) for block in blocks)
    return (
        f"  - {entry['dataset']}: blocks {_list(entry['blocks'])} were fitted, the epoch was "
        f"chosen on {_list(entry['chosen_on_blocks'])}, scores are of {n} others."
    )


def _rule(ordered, kl):
    said = ", ".join(f"`{name}` {kl[name]:.3f}" for name in ordered)
    return (
        f"`explain_image.py` takes the explanation with the lowest KL to the network's map on the "
        f"validation split, mean over the stimuli of all data sets: `{ordered[0]}` (bits: {said})."
    )


def _recipe(description):
    """Describe the training, if the file of weights holds it."""
    recipe = json.loads(description["params"]).get("training")
    if not (recipe and description.get("history")):
        return f"The weights were taken from a file. Commit `{description['commit']:.7}`."
    best = min(description["history"], key=lambda row: _combined(row, recipe["loss"]))
    return (
        f"at most {recipe['epochs']} epochs, batches of {recipe['batch_size']}, "
        f"{recipe.get('optimiser', 'adamw')} at {recipe['learning_rate']:g}, schedule "
        f"{recipe.get('schedule', 'cosine')}. The loss is KLD - {recipe['loss']['cc']:g} CC - "
        f"{recipe['loss']['nss']:g} NSS. Epoch {best['epoch']} was best on the validation split. "
        f"Seed {description['seed']}, commit `{description['commit']:.7}`."
    )


def _combined(row, weights):
    return row["kld"] - weights["cc"] * row["cc"] - weights["nss"] * row["nss"]


def _list(names):
    return ", ".join(str(int(name)) for name in names)


def _table(summary, model, dataset, explanations):
    part = summary[(summary["preset"] == "mit") & (summary["dataset"] == dataset)]
    lines = ["| predictor | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]
    own = [f"{model}-{explanation}" for explanation in explanations]
    for predictor in ("centre_bias", model, *own, "gold_standard"):
        scores = part[part["predictor"] == predictor].set_index("metric")
        cells = [
            "{mean:.3f} [{ci_low:.3f}, {ci_high:.3f}]".format(**scores.loc[metric])
            for metric in SHOWN
        ]
        lines.append(f"| {predictor} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _beside_nulls(close, model, datasets, explanations):
    """Lay out the fidelity of explanations and of their nulls; a family has mean and range."""
    close = close[close["measure"] == "fidelity"].set_index(["predictor", "dataset"])
    known = dict.fromkeys(close.index.get_level_values("predictor"))
    rows = [(f"{model}-{name}", [f"{model}-{name}"]) for name in explanations]
    for name in explanations:
        family = [p for p in known if re.fullmatch(rf"{model}_random\d+-{name}", p)]
        rows += [(f"{name} of {len(family)} random networks", family)] if family else []
    rows += [(p, [p]) for p in known if p.startswith(f"{model}-loggabor_deep")]
    lines = ["| predictor | " + " | ".join(datasets) + " |", "|---" * (len(datasets) + 1) + "|"]
    for label, names in rows:
        cells = []
        for dataset in datasets:
            found = close.loc[[(name, dataset) for name in names]]
            mean, low, high = found["mean"].mean(), found["mean"].min(), found["mean"].max()
            cells.append(f"{mean:.2f} ({low:.2f} to {high:.2f})")
            if len(names) == 1:
                cells[-1] = "{mean:.2f} [{ci_low:.2f}, {ci_high:.2f}]".format(**found.iloc[0])
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
