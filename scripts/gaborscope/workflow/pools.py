"""
Several data sets as one, the pool, which everything is fitted on.

A pool is called by its members, "osie+crowd"; no data set of a config can have such a name. Its
blocks are those of its members, "osie-00", each in the split that it has there.

Imported whenever the workflow is parsed: standard library alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from gaborscope.errors import InputError

BETWEEN_MEMBERS, BEFORE_BLOCK = "+", "-"
LONGEST = 200  # letters of the name of a pool, which is that of folders
Value = TypeVar("Value")


def settle(config: dict[str, Any]) -> None:
    """
    Take a list of one data set at `fit_on` for this data set.

    Parameters
    ----------
    config : dict
        Changed in place; malformed values stay as they are.
    """
    fit_on = config.get("fit_on")
    if isinstance(fit_on, list) and len(fit_on) == 1:
        config["fit_on"] = fit_on[0]


def members(fit_on: str | Sequence[str]) -> list[str]:
    """Return the data sets that `fit_on` of a config names, in their order."""
    return [fit_on] if isinstance(fit_on, str) else list(fit_on)


def name(fit_on: str | Sequence[str]) -> str:
    """Return the name of the data set of all fits: of the pool, or of the only data set."""
    return BETWEEN_MEMBERS.join(members(fit_on))


def member_block(block: str) -> tuple[str, str]:
    """Return the data set of a block of a pool, and the name that the block has there."""
    member, _, number = block.rpartition(BEFORE_BLOCK)
    return member, number


def blocks(names: Sequence[str], splits: Mapping[str, Mapping[str, Sequence[str]]]) -> dict:
    """
    Return the blocks of a pool.

    Parameters
    ----------
    names : sequence of str
        Its members.
    splits : dict of str to dict of str to sequence of str
        By data set and split, its blocks.

    Returns
    -------
    blocks : dict of str to list of str
        By split, member by member.
    """
    return {
        split: [f"{n}{BEFORE_BLOCK}{block}" for n in names for block in splits[n][split]]
        for split in splits[names[0]]
    }


def with_pool(
    fit_on: str | Sequence[str], by_dataset: Mapping[str, Mapping[str, Value]]
) -> dict[str, Mapping[str, Value]]:
    """
    Add the blocks of a pool to values by data set and block.

    Parameters
    ----------
    fit_on : str or sequence of str
        As in the config.
    by_dataset : dict of str to dict of str to value
        Of all members.

    Returns
    -------
    by_dataset : dict of str to dict of str to value
        The same without a pool.
    """
    names = members(fit_on)
    if len(names) == 1:
        return dict(by_dataset)
    pooled = {
        f"{member}{BEFORE_BLOCK}{block}": value
        for member in names
        for block, value in by_dataset[member].items()
    }
    return {**by_dataset, name(fit_on): pooled}


def check(config: Mapping[str, Any]) -> None:
    """
    Refuse what needs one data set for the fits where `fit_on` names several.

    Parameters
    ----------
    config : dict
        Complete; every network has its entry of `backbones`.

    Raises
    ------
    InputError
        Naming the key and what to do.
    """
    if isinstance(config["fit_on"], str):
        return
    if len(name(config["fit_on"])) > LONGEST:
        raise InputError(
            f"config: the names at fit_on have {len(name(config['fit_on']))} letters together; "
            f"folders are called by them, so take shorter ones, at most {LONGEST} together"
        )
    remedy = f"while fit_on names several data sets ({', '.join(config['fit_on'])}); name one there"
    users = {f"explanations.{name}": entry for name, entry in config["explanations"].items()}
    users |= {f"ablation.options.{n}": e for n, e in config["ablation"]["options"].items()}
    users["baselines.loggabor_fixations"] = config["baselines"]["loggabor_fixations"]
    for where, entry in users.items():
        if entry.get("concepts"):
            raise InputError(
                f"config: {where}.concepts is {', '.join(entry['concepts'])} {remedy}, or take the "
                "concepts out"
            )
    for model in config["models"]:
        if config["backbones"][model].get("inputs"):
            raise InputError(
                f"config: models.{model}.inputs takes the centre bias of one data set {remedy}"
            )
    wanted = config["spectra"]["predictors"]
    for predictor in wanted if isinstance(wanted, list) else ():
        if predictor in config["maps"]:
            raise InputError(
                f"config: spectra.predictors names the maps {predictor!r} {remedy}, or take the "
                "maps out"
            )
