"""
Write a folder of generated photographs and fixations, laid out as data of your own would be.

    python scripts/make_demo_folder.py FOLDER [--stimuli 120]

Writes FOLDER/stimuli/*.png and FOLDER/fixations.csv, which `type: folder` of a data set reads
(docs/tutorial.md). Pictures are search displays with one odd item and textures, 96 x 128 px at 8 px
per degree; their observers are simulated, and look at the odd item most. Nothing was recorded from
people. The same command writes the same files.
"""

import argparse
import csv
import sys
from pathlib import Path

from PIL import Image

from gaborscope.data import generated
from gaborscope.data.layouts.demo import check_settings, demo_name
from gaborscope.errors import InputError

SETTINGS = {
    "height": 96,
    "width": 128,
    "px_per_degree": 8,
    "n_observers": 10,
    "fixations_per_observer": 8,
    "seed": 1,
}


def main(folder, n_stimuli):
    """Write the pictures, then the table of all fixations."""
    settings = {**SETTINGS, "n_stimuli": n_stimuli}
    check_settings(settings)
    (folder / "stimuli").mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(n_stimuli):
        name = demo_name(number)
        made = generated.generate(name, settings)
        Image.fromarray(made.image).save(folder / "stimuli" / f"{name}.png")
        rows += [
            (f"{name}.png", f"s{subject:02d}", f"{x:.2f}", f"{y:.2f}")
            for subject, x, y in zip(made.subject, made.x, made.y, strict=True)
        ]
    with open(folder / "fixations.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("stimulus", "subject", "x", "y"), *rows])
    print(f"{n_stimuli} pictures and {len(rows)} fixations in {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stimuli", type=int, default=120)
    given = parser.parse_args()
    try:
        main(given.folder, given.stimuli)
    except (InputError, OSError) as error:
        sys.exit(f"error: {error}")
