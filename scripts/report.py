"""Draw figures and write them with the tables into one page (rule report)."""

import logging
from pathlib import Path

from gaborscope.refutation import verdicts
from gaborscope.report import anatomy, faithfulness, fidelity, page, partings, sections, variance
from gaborscope.store.files import whole
from gaborscope.store.tables import read_csv
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


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
    shown = params.presets, params.evaluate_on
    parts = []
    for model, explanation in params.sections:
        nulls = params.banks_and_randoms.get(f"{model}-{explanation}")
        names = sections.Names(model, explanation, params.targets[model], nulls)
        section = sections.Section(inputs, names, params.preset, params.report)
        parts.append(section.draw(folder))
        log.info("figures of %s-%s drawn", model, explanation)
    content = {
        "models": list(params.models),
        "explanations": params.explanations,
        "fit_on": params.fit_on,
        "synthetic": params.synthetic,
        "floor": variance.FLOOR,
        "closeness": [
            part
            for path in smk.input.fidelity
            for part in fidelity.content(
                read_csv(path), params.compared, params.roles, folder, params.report["dpi"]
            )
        ],
        "score_tables": page.score_tables(summary, *shown),
        "calibrated_tables": [t for c in calibrated for t in page.calibrated_tables(c, *shown)],
        "share_tables": page.share_tables(
            read_csv(smk.input.shares), params.banks_and_randoms, params.nulls
        ),
        **page.comparison_content(tables, params.pairs, *shown),
        "normalised_figures": sections.draw_normalised(
            tables["normalised"], *shown, folder, params.report["dpi"]
        ),
        "verdicts": verdicts.content(read_csv(smk.input.verdicts, dtype={"passed": str})),
        "faithfulness": faithfulness.parts(smk.input.faithfulness, folder, params.report["dpi"]),
        "differentiation": partings.differentiation(
            smk.input.differentiation, smk.input.changed_images, params.report, folder
        ),
        "explained": parts,
        "anatomy": anatomy.content(smk.input, folder, params.report["dpi"]),
    }
    with whole(smk.output.page, note=True) as temporary:
        temporary.write_text(page.render(content), encoding="utf-8")


def _described(table, nulls):
    """Leave out the rows of the many nulls of a family; the CSV has them."""
    return table[~table["predictor"].isin(nulls)].reset_index(drop=True)


if __name__ == "__main__":
    run_stage(main, snakemake)
