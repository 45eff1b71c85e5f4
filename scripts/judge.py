"""Write which attempts to refute it each explanation survives (rule judge)."""

import logging
from pathlib import Path

import pandas as pd

from gaborscope.refutation import verdicts
from gaborscope.scoring import summaries
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Gather contests, halves and seeds into one table of verdicts."""
    params, rows = smk.params, []
    tables = summaries.read_tables(params.cells, smk.input.scores)
    for contest in params.contests:
        model, explanation = contest["model"], contest["explanation"]
        rows += verdicts.contest_rows(contest, tables, params.n_resamples, params.seed)
        halves = [
            ("halves of the fit split", pd.read_csv(path))
            for path in smk.input.halves
            if Path(path).stem == explanation and Path(path).parents[1].name == model
        ]
        seeds = []
        for path in smk.input.seeds:
            table = pd.read_csv(path) if Path(path).stem == explanation else pd.DataFrame()
            for pair, own in table.groupby(["model", "other"]) if len(table) else ():
                if model in pair:
                    other = pair[1] if pair[0] == model else pair[0]
                    seeds.append((f"matched with {other}", own))
        named = model, explanation, params.fit_on
        direct = "identities of single layers are those of mode direct"
        rows += verdicts.stability_rows(*named, "halves_agree", halves, direct)
        otherwise = f"no other network of models differs from {model} in its seed alone"
        if not halves:
            otherwise = direct
        rows += verdicts.stability_rows(*named, "seeds_agree", seeds, otherwise)
        for dataset in params.evaluate_on:
            replaced = [
                pd.read_csv(path)
                for path in smk.input.faithfulness
                if Path(path).parts[-4:-1] == (model, dataset, explanation)
            ]
            table = replaced[0] if replaced else None
            rows += verdicts.faithfulness_rows(model, explanation, dataset, table)
    with whole(smk.output.verdicts) as temporary:
        table = pd.DataFrame(rows, columns=list(verdicts.COLUMNS))
        table.to_csv(temporary, index=False, float_format="%.6g")
    for row in rows:
        log.info("%s: %s %s", row["test"], row["passed"], row["sentence"])


if __name__ == "__main__":
    run_stage(main, snakemake)
