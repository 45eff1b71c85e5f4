"""Match the maps of networks of several training seeds; compare identities (rule compare_seeds)."""

import itertools
import logging

from gaborscope.refutation import seeds
from gaborscope.store import tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Describe and match the maps of networks pair by pair; compare agreement with chance."""
    settings, inputs, rows = smk.params.refutation, smk.input, []
    for family in smk.params.families:
        networks = [
            seeds.read_network(model, inputs.filters, inputs.fit, smk.params.rule)
            for model in family
        ]
        for first, second in itertools.combinations(networks, 2):
            compared, matched = seeds.compare(
                first, second, inputs.activations, settings["permutations"], smk.params.seed
            )
            rows += compared
            log.info("%s and %s: maps correlate by %s", first.name, second.name, matched)
    tables.write_csv(smk.output.table, rows, seeds.COLUMNS)


if __name__ == "__main__":
    run_stage(main, snakemake)
