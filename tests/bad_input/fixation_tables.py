"""Bad and unusual fixations.csv."""

from bad_input.case import Case
from PIL import Image

from gaborscope.data import catalogue

FAMILY = "Fixation tables"


def index(text):
    """Return a use that indexes a folder of one photograph a.png with this fixations.csv."""

    def use(folder):
        (folder / "stimuli").mkdir()
        Image.new("RGB", (1024, 768), (90, 120, 60)).save(folder / "stimuli/a.png")
        (folder / "fixations.csv").write_text(text, encoding="utf-8")
        settings = {"type": "folder", "path": str(folder)}
        return catalogue.index("mine", settings, folder)

    return use


CASES = [
    Case(
        "a header without a column that is needed",
        index("stimulus,subject,x\na.png,s1,3\n"),
        says="{folder}/fixations.csv has no column 'y': its header is 'stimulus,subject,x'; "
        "'stimulus,subject,x,y' are needed once each, separated by commas, semicolons or tabs",
    ),
]
