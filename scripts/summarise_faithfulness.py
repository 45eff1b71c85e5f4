"""Mean effects of substitution and intervention with intervals (rule summarise_faithfulness)."""

import logging

from gaborscope.refutation import faithfulness
from gaborscope.store import tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Read the rows of all blocks; write means, differences and the interventions themselves."""
    resampling = smk.params.n_resamples, smk.params.seed
    replaced, changed = (
        faithfulness.joined(map(tables.read_csv, paths))
        for paths in (smk.input.substituted, smk.input.intervened)
    )
    means, differences = faithfulness.substitution_tables(replaced, *resampling)
    written = {
        smk.output.substitution: means,
        smk.output.differences: differences,
        smk.output.interventions: changed,
        smk.output.summary: faithfulness.intervention_table(changed, *resampling),
    }
    for path, table in written.items():
        tables.write_csv(path, table)
    log.info("%d stimuli", replaced["stimulus"].nunique())


if __name__ == "__main__":
    run_stage(main, snakemake)
