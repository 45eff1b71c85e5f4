"""A data set of any origin in a plain folder: stimuli/ and fixations.csv."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gaborscope.data.layouts.scan import Scan, images, sha256, stamp
from gaborscope.errors import InputError

COLUMNS = ("stimulus", "subject", "x", "y")


def scan(folder: Path, settings: Mapping[str, Any], name: str) -> Scan:
    """Return the `Scan` of the images in stimuli/ and of the rows of fixations.csv."""
    stimuli = images(folder / "stimuli", name)
    table = folder / "fixations.csv"
    try:
        tables = [stamp(table)]
    except OSError:
        raise InputError(
            f"data set '{name}': there is no readable {table}; write one with the header "
            f"'{','.join(COLUMNS)}' and a row per fixation"
        ) from None
    return Scan(stimuli, tables=tables, contents=lambda: _row_digests(table, stimuli))


def read_fixation_rows(path: str | Path) -> Iterator[tuple[int, str, str, str, str]]:
    """
    Yield (line number, stimulus, subject, x, y) of each row of a fixations.csv.

    Comma-separated UTF-8 with or without byte order mark, any line ends, columns in any order,
    further columns and empty lines ignored. The line number counts from 1 at the header; the
    other four are text, as written.

    Raises
    ------
    InputError
        If the file has no header, lacks a column, has a row that is too short, or is not text of
        this kind.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            header = next((row for row in reader if row), None)
            if header is None:
                raise InputError(f"{path} is empty; it needs the header '{','.join(COLUMNS)}'")
            columns = [_column(path, header, wanted) for wanted in COLUMNS]
            stimulus, subject, x, y = columns
            least = max(columns) + 1
            for row in reader:
                if len(row) < least:
                    if not row:
                        continue
                    raise InputError(
                        f"{path}, line {reader.line_num}: the row has {len(row)} values where the "
                        f"header has {len(header)}; complete or remove it"
                    )
                yield reader.line_num, row[stimulus], row[subject], row[x], row[y]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} is not comma-separated UTF-8 text ({error}); save it as such"
        ) from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check its permissions"
        ) from None


def number_error(path: str | Path, line: int, column: str, text: str) -> InputError:
    """Return the InputError for a coordinate that is no usable number (see `catalogue.index`)."""
    try:
        negative = float(text) < -0.5
    except ValueError:
        negative = False
    fault = "lies outside the image" if negative and text != "-inf" else "is not a finite number"
    return InputError(
        f"{path}, line {line}: {column} = {text!r} {fault}; coordinates are 0-based px from the "
        "upper left pixel, correct or remove the row"
    )


def _column(path, header, wanted):
    names = [column.strip() for column in header]
    if wanted not in names:
        raise InputError(
            f"{path} has no column '{wanted}': its header is '{','.join(header)}'; "
            f"'{','.join(COLUMNS)}' are needed, separated by commas"
        )
    return names.index(wanted)


def _row_digests(path, stimuli):
    """Return {stimulus: digest of its rows}; every row is checked."""
    rows = {}
    infinity = float("inf")
    for line, stimulus, subject, x, y in read_fixation_rows(path):
        if stimulus not in stimuli:
            raise InputError(
                f"{path}, line {line}: there is no stimulus {stimulus!r} in "
                f"{path.parent / 'stimuli'}; the column takes a file name with its extension"
            )
        for column, text in (("x", x), ("y", y)):
            try:
                usable = -0.5 <= float(text) < infinity
            except ValueError:
                usable = False
            if not usable:
                raise number_error(path, line, column, text)
        rows.setdefault(stimulus, []).append(f"{subject}\x1f{x}\x1f{y}")
    if not rows:
        raise InputError(f"{path} has a header but no fixation; add a row per fixation")
    return {stimulus: sha256(*lines) for stimulus, lines in rows.items()}
