"""Print the last lines of a finished run again: table, finding, path of the report."""

import sys

from gaborscope.errors import InputError
from gaborscope.workflow import closing

if __name__ == "__main__":
    try:
        print("\n".join(closing.lines(sys.argv[1] if len(sys.argv) > 1 else ".")))
    except InputError as error:
        sys.exit(f"error: {error}")
