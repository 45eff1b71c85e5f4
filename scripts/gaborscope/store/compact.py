"""Files of explained models without the room that their zeros take."""

from pathlib import Path

from gaborscope.store.files import create, open_file


def copy_compressed(source: str | Path, target: str | Path) -> None:
    """
    Copy an explained model, its arrays compressed without loss.

    A cascade with a budget consists mostly of zeros.

    Parameters
    ----------
    source : str or Path
        A file `results/explained/{model}/{dataset}/{explanation}.h5`.
    target : str or Path

    Raises
    ------
    InputError
        If the source is of another kind.
    """
    with open_file(source, "explained") as file:
        origin = {key: value for key, value in file.attrs.items() if key not in ("schema", "file")}
        with create(target, "explained", origin) as copy:
            file.visititems(lambda name, item: _copy(name, item, copy))


def _copy(name, item, copy):
    """Copy a group or an array, larger arrays compressed; `visititems` goes on at None."""
    if hasattr(item, "dtype"):  # a group has none
        options = {"compression": "gzip", "shuffle": True} if item.size > 1000 else {}
        made = copy.create_dataset(name, data=item[()], dtype=item.dtype, **options)
    else:
        made = copy.require_group(name)
    for key, value in item.attrs.items():
        made.attrs[key] = value
