"""Draw figures and write them with the tables into one page (rule report)."""

import json
import logging
from pathlib import Path

import pandas as pd

from gaborscope import __version__
from gaborscope.refutation import verdicts
from gaborscope.report import (
    anatomy,
    faithfulness,
    fidelity,
    findings,
    methods,
    page,
    partings,
    sections,
    variance,
)
from gaborscope.scoring import exposure
from gaborscope.store import paths
from gaborscope.store.files import provenance, whole
from gaborscope.store.tables import read_csv
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")
NO_FIDELITY = pd.DataFrame(columns=["predictor", "dataset", "measure", *findings.ENDS, "n"])


def main(smk):
    """Render the page."""
    params = smk.params
    folder = Path(smk.output.figures)
    folder.mkdir(parents=True, exist_ok=True)
    inputs = sections.Inputs.of(smk.input)
    summary = {
        split: _described(read_csv(path), params.nulls)
        for split, path in (("test", smk.input.summary), ("validation", smk.input.validation))
    }
    tables = {
        name: _described(read_csv(smk.input.get(name)), params.nulls) for name in page.COMPARISONS
    }
    calibrated = [_described(read_csv(path), params.nulls) for path in smk.input.calibrated]
    judged = read_csv(smk.input.verdicts, dtype={"passed": str})
    shares = read_csv(smk.input.shares)
    measured = [read_csv(path) for path in smk.input.fidelity]
    shown = params.presets, params.evaluate_on
    parts = []
    for model, explanation in params.sections:
        nulls = params.banks_and_randoms.get(f"{model}-{explanation}")
        names = sections.Names(model, explanation, params.targets[model], nulls)
        section = sections.Section(inputs, names, params.preset, params.report)
        parts.append(section.draw(folder))
        log.info("figures of %s-%s drawn", model, explanation)
    closeness = [
        part
        for table in measured
        for part in fidelity.content(
            table, params.compared, params.roles, folder, params.report["dpi"]
        )
    ]
    found = {
        "summary": summary["test"],
        "fidelity": measured[0] if measured else NO_FIDELITY,
        "shares": shares,
        "verdicts": judged,
    }
    weights = paths.index("weights", smk.input.weights, "model")
    unknown = [model for model, path in weights.items() if exposure.unknown(path)]
    content = {
        "version": __version__,
        "models": list(params.models),
        "explanations": params.explanations,
        "fit_on": params.fit_on,
        "synthetic": params.synthetic,
        "floor": variance.FLOOR,
        "summary": _summary(params, found, closeness, unknown),
        "closeness": closeness,
        "score_tables": page.score_tables(summary, *shown),
        "calibrated_tables": [t for c in calibrated for t in page.calibrated_tables(c, *shown)],
        "share_tables": page.share_tables(shares, params.banks_and_randoms, params.nulls),
        **page.comparison_content(tables, params.pairs, *shown),
        "normalised_figures": sections.draw_normalised(
            tables["normalised"], *shown, folder, params.report["dpi"]
        ),
        "verdicts": page.verdict_tables(verdicts.content(judged), methods.floors(params.facts)),
        "faithfulness": faithfulness.parts(smk.input.faithfulness, folder, params.report["dpi"]),
        "differentiation": partings.differentiation(
            smk.input.differentiation, smk.input.changed_images, params.report, folder
        ),
        "explained": parts,
        "anatomy": anatomy.content(smk.input, folder, params.report["dpi"]),
        "methods": {
            "paragraphs": methods.paragraph(params.facts),
            "bibtex": methods.bibtex(methods.YEAR),
            "settings": json.dumps(params.facts, indent=1, ensure_ascii=False),
        },
        "run": {"not_run": methods.not_run(params.facts["analyses"], judged)},
        "now": {
            "date": methods.today().isoformat(),
            "commit": provenance(smk)["commit"][:12],
            "software": methods.software(),
            "times": methods.times("results/benchmarks"),
        },
    }
    with whole(smk.output.page, note=True) as temporary:
        temporary.write_text(page.render(content), encoding="utf-8")


def _summary(params, found, closeness, unknown):
    """Gather what the summary says: of the first explanation, in its own words."""
    cells = [
        (params.targets[model], f"{model}-{explanation}", dataset)
        for model, explanation in params.sections
        for dataset in params.evaluate_on
        if model in params.salient
    ]
    deep = list(dict.fromkeys(cell[0] for cell in cells))
    content = {
        "banners": [
            *findings.banners(found["summary"], deep, params.evaluate_on, params.preset),
            *findings.without_verdict(found["verdicts"], deep, params.evaluate_on),
        ],
        "warnings": [
            *params.warnings,
            *findings.of_exposure(found["summary"], deep, params.evaluate_on, unknown),
        ],
        "glance": findings.glance(cells, found, params.preset),
        "figure": None,
        "model": "",
        "dataset": params.evaluate_on[0],
    }
    if not cells:
        said = findings.of_baselines(found["summary"], params.evaluate_on[0], params.preset)
        return {**content, "sentences": said}
    model, predictor, dataset = cells[0]
    roles = findings.by_role(params.compared, params.roles, model, dataset)
    names = model, predictor, dataset, params.preset
    content["sentences"] = findings.sentences(names, found, roles, params.synthetic)
    for part in closeness:
        if (part["model"], part["dataset"]) == (model, dataset):
            content |= {"figure": part["figure"], "model": model, "dataset": dataset}
    return content


def _described(table, nulls):
    """Leave out the rows of the many nulls of a family; the CSV has them."""
    return table[~table["predictor"].isin(nulls)].reset_index(drop=True)


if __name__ == "__main__":
    run_stage(main, snakemake)
