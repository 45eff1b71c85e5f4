"""Compare the options with the direct explanation (rule summarise_ablation)."""

from gaborscope.analysis import ablation
from gaborscope.store import tables
from gaborscope.workflow.stage import run_stage


def main(smk):
    """Write one table of all options of all models."""
    params = smk.params
    trials = {
        (model, option): (tables.read_csv(scores), tables.read_csv(layers))
        for (model, option), scores, layers in zip(
            params.trials, smk.input.scores, smk.input.layers, strict=True
        )
    }
    rows = ablation.summarise(trials, params.settings, params.n_resamples, params.seed)
    tables.write_csv(smk.output.table, rows, ablation.COLUMNS)


if __name__ == "__main__":
    run_stage(main, snakemake)
