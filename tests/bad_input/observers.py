"""Ids of observers."""

import h5py
import numpy as np
from bad_input.case import Case, said
from bad_input.fixation_tables import HEADER, lay

from gaborscope.data import catalogue, loading

FAMILY = "Observers"


def table(*subjects):
    """Return a use that counts the observers of a fixations.csv with these ids."""

    def use(folder):
        rows = "".join(f"a.png,{subject},{i + 100},90\n" for i, subject in enumerate(subjects))
        lay(folder, HEADER + rows, ("a.png",))
        return count(folder, "folder")

    return use


def pysaliency(subjects, kind="Fixations"):
    """Return a use that counts the observers in a file as pysaliency writes it."""

    def use(folder):
        lay(folder, "", ("a.png",))
        n = len(subjects)
        text = h5py.special_dtype(vlen=str)
        with h5py.File(folder / "stimuli.hdf5", "w") as file:
            file.attrs["type"], file.attrs["size"] = np.bytes_("FileStimuli"), 1
            file.create_dataset("filenames", data=np.array([b"stimuli/a.png"]), dtype=text)
        with h5py.File(folder / "fixations.hdf5", "w") as file:
            file.attrs["type"] = np.bytes_(kind)
            strings = isinstance(subjects[0], str)
            data = {"data": np.array(subjects, dtype=object), "dtype": text} if strings else {}
            data = data or {"data": np.array(subjects)}
            places = np.arange(n) + 100.0
            if kind == "Fixations":
                file["x"], file["y"], file["n"] = places, places, np.zeros(n, int)
                file.create_dataset("subjects", **data)
            elif kind == "FixationTrains":
                file["train_xs"], file["train_ys"] = places[:, None], places[:, None]
                file["train_ns"] = np.zeros(n, int)
                file.create_dataset("train_subjects", **data)
            else:
                file["xs"], file["ys"] = places[:, None], places[:, None]
                file["n"] = np.zeros(n, int)
                file.create_group("scanpath_attributes").create_dataset("subject", **data)
        return count(folder, "pysaliency")

    return use


def warned(count_observers):
    """Return a use that gives the first warning of another use."""

    def use(folder):
        with said() as warnings:
            count_observers(folder)
        return warnings[0]

    return use


def count(folder, kind):
    """Count the observers of a data set."""
    entry = {"type": kind, "path": str(folder)}
    block = loading.load_block(entry, list(catalogue.index("mine", entry, folder)), folder)
    found = list(dict.fromkeys(block.subject.tolist()))
    order = [found.index(subject) for subject in block.subject.tolist()]
    return f"{len(found)} observers: {', '.join(map(str, order))}"


CASES = [
    Case("1 and 1.0, as pandas writes it", table("1", "1.0", "2"), gives="2 observers: 0, 0, 1"),
    Case("s1 with blanks behind it", table("s1", "s1 ", "s2"), gives="2 observers: 0, 0, 1"),
    Case(
        "s1 with a no-break space before it",
        table("s1", "\u00a0s1", "s2"),
        gives="2 observers: 0, 0, 1",
    ),
    Case(
        "a composed and a decomposed é",
        table("Ren\u00e9", "Rene\u0301", "Rene"),
        gives="2 observers: 0, 0, 1",
    ),
    Case("s1 in quotes", table("s1", '"s1"'), gives="1 observers: 0, 0"),
    Case("01 and 1 (two, said in the log)", table("01", "1"), gives="2 observers: 0, 1"),
    Case("S1 and s1 (two, said in the log)", table("S1", "s1"), gives="2 observers: 0, 1"),
    Case(
        "A and a full-width A",
        warned(table("A", "\uff21")),
        gives="{folder}/fixations.csv: 'A' and 'Ａ' are two observers; write one id if they are "
        "one",
    ),
    Case(
        "anna with a soft hyphen",
        warned(table("anna", "an\u00adna")),
        gives="{folder}/fixations.csv: 'anna' and 'an\\xadna' are two observers; write one id if"
        " they are one",
    ),
    Case("1.5 and 1", table("1.5", "1"), gives="2 observers: 0, 1"),
    Case(
        "an empty id",
        table("s1", ""),
        says="{folder}/fixations.csv, line 3: the row has no subject; write the observer's "
        "id, or one id in all rows if observers are not told apart",
    ),
    Case(
        "NA, which is how R writes that there is none",
        table("s1", "NA"),
        says="{folder}/fixations.csv, line 3: the row has no subject; write the observer's "
        "id, or one id in all rows if observers are not told apart",
    ),
    Case(
        "nan as an id, as pandas writes a gap",
        table("s1", "nan"),
        says="{folder}/fixations.csv, line 3: the row has no subject; write the observer's "
        "id, or one id in all rows if observers are not told apart",
    ),
    Case(
        "two ids of one checksum",
        table("plumless", "buckeroo"),
        says="{folder}/fixations.csv, line 3: the observers 'plumless' and 'buckeroo' have "
        "the same checksum, by which observers are told apart; rename one of them",
    ),
    Case(
        "text ids in pysaliency's Fixations",
        pysaliency(["ann", "bob", "ann"]),
        gives="2 observers: 0, 1, 0",
    ),
    Case(
        "text ids in pysaliency's FixationTrains",
        pysaliency(["ann", "bob", "ann"], "FixationTrains"),
        gives="2 observers: 0, 1, 0",
    ),
    Case(
        "text ids in pysaliency's Scanpaths",
        pysaliency(["ann", "bob", "ann"], "Scanpaths"),
        gives="2 observers: 0, 1, 0",
    ),
    Case(
        "numbers as text in a file of pysaliency",
        pysaliency(["1", "1.0", "2"]),
        gives="2 observers: 0, 0, 1",
    ),
    Case(
        "01 and 1 as text in a file of pysaliency",
        pysaliency(["01", "1"]),
        gives="2 observers: 0, 1",
    ),
    Case(
        "A and a full-width A in a file of pysaliency",
        warned(pysaliency(["A", "\uff21"])),
        gives="{folder}/fixations.hdf5: 'A' and 'Ａ' are two observers; write one id if they are"
        " one",
    ),
    Case(
        "ids that are no whole numbers in a file of pysaliency",
        pysaliency([1.0, 1.5, 2.0]),
        gives="3 observers: 0, 1, 2",
    ),
    Case(
        "ids beyond 32 bits in a file of pysaliency",
        pysaliency([1, 2**32 + 1, 2**33 + 1]),
        gives="3 observers: 0, 1, 2",
    ),
    Case(
        "an id that is nan in a file of pysaliency",
        pysaliency([1.0, float("nan")]),
        says="{folder}/fixations.hdf5 is not a file of fixations that pysaliency wrote (a "
        "fixation has no observer); write it again with to_hdf5",
    ),
]
