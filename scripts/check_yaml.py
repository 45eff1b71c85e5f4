"""Read config files before Snakemake does, which ends in a traceback where one is no text."""

import sys

from gaborscope.errors import InputError
from gaborscope.workflow import config_files


def main(paths):
    """Stop with one sentence at the first file that cannot be read."""
    for path in paths:
        try:
            config_files.read(path)
        except InputError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
