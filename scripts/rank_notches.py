"""Rank the notches of an explanation on validation stimuli (rule rank_notches)."""

import logging

from gaborscope.explanation.model import ExplainedModel
from gaborscope.refutation import faithfulness, interventions
from gaborscope.store import tables
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Take each notch out of some stimuli; rank notches by the change of the explained density."""
    model = ExplainedModel.load(smk.input.explained)
    contents, explained = [], []
    for path in smk.input.validation:
        block = read_data(path, concepts=smk.input.concepts)
        for index in faithfulness.chosen(block.names, smk.params.n, smk.params.seed):
            contents.append(interventions.content_of(block, index, model.box)[0])
            explained.append(interventions.explained_by(model.on(block.member)))
    settings = interventions.bank_settings(model)
    families = (*smk.params.families, "filter")  # single filters, for the lower half
    table = interventions.rank(contents, explained, settings, families)
    tables.write_csv(smk.output.table, table)
    for name, row in (
        table[table["family"] != "filter"]
        .groupby("family", sort=False)
        .head(1)
        .set_index("notch")
        .iterrows()
    ):
        log.info("%s: %s, %.4f nats", row["family"], name, row["contribution"])


if __name__ == "__main__":
    run_stage(main, snakemake)
