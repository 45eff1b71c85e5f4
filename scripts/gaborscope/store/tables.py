"""Tables of a run: CSV and JSON files, each written whole or not at all, all in one format."""

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gaborscope.errors import reading
from gaborscope.store import checksums
from gaborscope.store.files import whole

# Ten significant digits of every float. The statistics of no table are that exact, and rounding by
# the number of threads does not show.
FLOAT_FORMAT = "%.10g"


def write_csv(
    path: str | Path,
    rows: pd.DataFrame | Iterable[dict[str, Any]],
    columns: Sequence[str] | None = None,
) -> None:
    """
    Write a table as CSV, whole or not at all, without its index.

    Parameters
    ----------
    path : str or Path
    rows : DataFrame or iterable of dict
    columns : sequence of str, optional
        Columns to write, in this order; a table without rows has them as its header. By default
        the columns of `rows`.

    Raises
    ------
    KeyError
        If a DataFrame lacks one of `columns`.
    """
    columns = None if columns is None else list(columns)
    if isinstance(rows, pd.DataFrame):
        table = rows if columns is None else rows[columns]
    else:
        table = pd.DataFrame(list(rows), columns=columns)
    with whole(path, note=True) as temporary:
        table.to_csv(temporary, index=False, float_format=FLOAT_FORMAT)


def read_csv(path: str | Path, **options: Any) -> pd.DataFrame:
    """
    Read a table that `write_csv` wrote.

    Parameters
    ----------
    path : str or Path
    **options
        For `pandas.read_csv`.

    Returns
    -------
    table : DataFrame

    Raises
    ------
    InputError
        If the file is missing, damaged or no table.
    """
    content = checksums.read_noted(path)
    with reading(f"{path} cannot be read as a table", checksums.remedy(path)):
        return pd.read_csv(io.BytesIO(content), **options)


def write_json(path: str | Path, content: Any, sort_keys: bool = False) -> None:
    """
    Write JSON, whole or not at all, one space per level and a newline at the end.

    Parameters
    ----------
    path : str or Path
    content : object that JSON can write
    sort_keys : bool
        By default keys keep their order, because the order of layers has a meaning.
    """
    text = json.dumps(content, indent=1, sort_keys=sort_keys)
    with whole(path, note=True) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """
    Read a JSON file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    content

    Raises
    ------
    InputError
        If the file is missing, damaged or no JSON.
    """
    content = checksums.read_noted(path)
    with reading(f"{path} cannot be read as JSON", checksums.remedy(path)):
        return json.loads(content)
