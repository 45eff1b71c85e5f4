"""Set the options of the direct explanation beside it (rule summarise_ablation)."""

import pandas as pd

from gaborscope.analysis import ablation
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage


def main(smk):
    """Write one table of all options of all models."""
    params, rows = smk.params, []
    files = zip(params.trials, smk.input.scores, smk.input.layers, strict=True)
    tables = {
        (model, option): (pd.read_csv(scores), pd.read_csv(layers))
        for (model, option), scores, layers in files
    }
    for model in dict.fromkeys(model for model, _ in tables):
        own = {option: found for (name, option), found in tables.items() if name == model}
        differs = {
            option: ablation.differing(params.settings["direct"], params.settings[option])
            for option in own
        }
        rows += ablation.rows(model, own, differs, params.n_resamples, params.seed)
    with whole(smk.output.table) as temporary:
        table = pd.DataFrame(rows, columns=list(ablation.COLUMNS))
        table.to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_stage(main, snakemake)
