"""Fetch a published data set from its authors' addresses and unpack it (rule download_dataset)."""

import logging
from pathlib import Path

from gaborscope.data import downloads, unpacking
from gaborscope.data.layouts import archives
from gaborscope.store import tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fetch and unpack each archive; an archive that is already complete is not fetched again."""
    settings, name = smk.params.dataset, smk.wildcards.dataset
    folder = Path(smk.scriptdir).parent / Path(settings["path"]).expanduser()
    record = []
    for archive in archives.wanted(name, settings):
        path = folder / "archives" / archive.url.rpartition("/")[2]
        downloads.fetch(archive.url, path, md5=archive.md5)
        unpacking.unpack(path, folder, archive.inside)
        record.append({"url": archive.url, **downloads.digests(path)})
    for path in (folder / archives.RECORD, smk.output.record):
        tables.write_json(path, record)
    log.info("%s is complete; its archives, no longer needed, lie in %s", name, folder / "archives")


if __name__ == "__main__":
    run_stage(main, snakemake)
