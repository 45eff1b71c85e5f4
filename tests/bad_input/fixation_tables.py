"""Bad and unusual fixations.csv."""

import bz2
import functools
import gzip
import io
import lzma
import unicodedata
from pathlib import Path

from bad_input.case import Case, said
from PIL import Image

from gaborscope.data import catalogue, loading

FAMILY = "Fixation tables"
HEADER = "stimulus,subject,x,y\n"


@functools.cache
def photograph(size, suffix):
    """Bytes of a photograph of a size (width, height) in the format of a suffix."""
    file = io.BytesIO()
    Image.new("RGB", size, (90, 120, 60)).save(file, Image.registered_extensions()[suffix.lower()])
    return file.getvalue()


def lay(folder, table, names=("a.png", "b.png"), size=(1024, 768)):
    """Lay photographs of one size (width, height) and a fixations.csv, text or bytes."""
    (folder / "stimuli").mkdir(parents=True)
    for name in names:
        (folder / "stimuli" / name).write_bytes(photograph(size, Path(name).suffix))
    table = table.encode() if isinstance(table, str) else table
    (folder / "fixations.csv").write_bytes(table)


def read(table, names=("a.png", "b.png"), size=(1024, 768), lay_more=None, **settings):
    """Return a use that plans and loads a folder; it gives stimulus, x, y of each fixation."""

    def use(folder):
        lay(folder, table, names, size)
        if lay_more:
            lay_more(folder)
        entry = {"type": "folder", "path": str(folder), **settings}
        block = loading.load_block(entry, list(catalogue.index("mine", entry, folder)), folder)
        where = [unicodedata.normalize("NFC", block.names[i]) for i in block.stimulus]
        numbers = zip(where, block.x.tolist(), block.y.tolist(), strict=True)
        return "; ".join(f"{name} {x:g} {y:g}" for name, x, y in numbers)

    return use


def planned(table, names=("a.png", "b.png")):
    """Return a use that plans a folder; it gives the number of stimuli, and warnings."""

    def use(folder):
        lay(folder, table, names)
        with said() as warnings:
            found = catalogue.index("mine", {"type": "folder", "path": str(folder)}, folder)
        return "; ".join([f"{len(found)} stimuli", *warnings])

    return use


def split(empty):
    """Return a use that plans 40 photographs, of which those of one split have no fixation."""

    def use(folder):
        names = [f"{i}.png" for i in range(40)]
        of = {n: catalogue.split_of_block(catalogue.block_of(n, 10), 10) for n in names}
        rows = [f"{name},s1,{40 + i},50" for i, name in enumerate(names) if of[name] != empty]
        lay(folder, HEADER + "\n".join(rows), names, (192, 144))
        return catalogue.BlockIndex("mine", {"type": "folder", "path": str(folder)}, folder, 10)

    return use


def webp(folder):
    """Lay a photograph whose extension is not read."""
    Image.new("RGB", (8, 8)).save(folder / "stimuli/c.webp")


def below(folder):
    """Lay a photograph in a subfolder."""
    (folder / "stimuli/sub").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "stimuli/sub/c.png")


def no_table(folder):
    """Take the table away."""
    Path(folder, "fixations.csv").unlink()


GOOD = "a.png,s1,300,200\nb.png,s1,310,210\n"
ROWS = "a.png,s2,,\na.png,s1,-1,-1\na.png,s2,0,0\na.png,s2,1030,5\n" + GOOD
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD"))
CASES = [
    Case(
        "a header without a column that is needed",
        read("stimulus,subject,x\na.png,s1,3\n"),
        says="{folder}/fixations.csv has no column 'y': its header is 'stimulus,subject,x'; "
        "'stimulus,subject,x,y' are needed once each, separated by commas, semicolons "
        "or tabs",
    ),
    Case(
        "an empty file",
        read(""),
        says="{folder}/fixations.csv is empty; it needs the header 'stimulus,subject,x,y'",
    ),
    Case(
        "blank lines alone",
        read("\n \n\n"),
        says="{folder}/fixations.csv is empty; it needs the header 'stimulus,subject,x,y'",
    ),
    Case(
        "a byte order mark alone",
        read(b"\xef\xbb\xbf"),
        says="{folder}/fixations.csv is empty; it needs the header 'stimulus,subject,x,y'",
    ),
    Case(
        "a header alone",
        read(HEADER),
        says="{folder}/fixations.csv has a header but no fixation; add a row per fixation",
    ),
    Case(
        "no file",
        read(HEADER, lay_more=no_table),
        says="data set 'mine': there is no readable {folder}/fixations.csv; write one with "
        "the header 'stimulus,subject,x,y' and a row per fixation",
    ),
    Case(
        "a header with a column twice",
        read("stimulus,subject,x,y,x\na.png,s1,3,4,5\n"),
        says="{folder}/fixations.csv has two columns 'x': its header is "
        "'stimulus,subject,x,y,x'; 'stimulus,subject,x,y' are needed once each, "
        "separated by commas, semicolons or tabs",
    ),
    Case(
        "a header with X beside x",
        read("stimulus,subject,x,y,X\na.png,s1,3,4,5\n"),
        gives="a.png 3 4",
    ),
    Case(
        "a header in upper case",
        read("Stimulus,SUBJECT,X,Y\n" + GOOD),
        gives="a.png 300 200; b.png 310 210",
    ),
    Case(
        "a quoted header after a byte order mark",
        read('\ufeff"stimulus","subject","x","y"\n' + GOOD),
        gives="a.png 300 200; b.png 310 210",
    ),
    Case(
        "semicolons", read((HEADER + GOOD).replace(",", ";")), gives="a.png 300 200; b.png 310 210"
    ),
    Case("tabs", read((HEADER + GOOD).replace(",", "\t")), gives="a.png 300 200; b.png 310 210"),
    Case(
        "Windows line ends",
        read((HEADER + GOOD).replace("\n", "\r\n")),
        gives="a.png 300 200; b.png 310 210",
    ),
    Case(
        "line ends of an old Mac",
        read((HEADER + GOOD).replace("\n", "\r")),
        gives="a.png 300 200; b.png 310 210",
    ),
    Case(
        "no line end at the end",
        read((HEADER + GOOD).rstrip()),
        gives="a.png 300 200; b.png 310 210",
    ),
    Case(
        "rows of separators alone",
        read(HEADER + GOOD + ",,,\n , , , \n"),
        gives="a.png 300 200; b.png 310 210",
    ),
    Case(
        "a further column in the header",
        read("stimulus,subject,x,y,ms\na.png,s1,300,200,90\nb.png,s1,310,210,80\n"),
        gives="a.png 300 200; b.png 310 210",
    ),
    Case(
        "a comma at the end of each line, header too",
        read("stimulus,subject,x,y,\na.png,s1,300,200,\nb.png,s1,310,210,\n"),
        gives="a.png 300 200; b.png 310 210",
    ),
    Case(
        "a comma at the end of a row alone",
        read(HEADER + "a.png,s1,300,200,\n"),
        says="{folder}/fixations.csv, line 2: the row has 5 values where the header has 4; "
        "if its numbers have decimal commas, write points, else quote or remove what is"
        " more",
    ),
    Case(
        "a row with less values",
        read(HEADER + GOOD + "a.png,s1,300\n"),
        says="{folder}/fixations.csv, line 4: the row has 3 values where the header has 4; "
        "complete or remove it",
    ),
    Case(
        "decimal commas",
        read(HEADER + "a.png,s1,512,3,384,2\n"),
        says="{folder}/fixations.csv, line 2: the row has 6 values where the header has 4; "
        "if its numbers have decimal commas, write points, else quote or remove what is"
        " more",
    ),
    Case(
        "a decimal comma in one of two numbers",
        read(HEADER + "a.png,s1,512,384,2\n"),
        says="{folder}/fixations.csv, line 2: the row has 5 values where the header has 4; "
        "if its numbers have decimal commas, write points, else quote or remove what is"
        " more",
    ),
    Case(
        "decimal commas between semicolons",
        read("stimulus;subject;x;y\na.png;s1;512,3;384,2\n"),
        says="{folder}/fixations.csv, line 2: x = '512,3' has a decimal comma; write decimal"
        " points (512.3)",
    ),
    Case(
        "decimal commas in quotes",
        read(HEADER + 'a.png,s1,"512,3","384,2"\n'),
        says="{folder}/fixations.csv, line 2: x = '512,3' has a decimal comma; write decimal"
        " points (512.3)",
    ),
    Case(
        "an underscore in a number",
        read(HEADER + "a.png,s1,1_0,20\n"),
        says="{folder}/fixations.csv, line 2: x = '1_0' is not a finite number; correct or "
        "remove the row",
    ),
    Case(
        "a number with a unit",
        read(HEADER + "a.png,s1,300px,200\n"),
        says="{folder}/fixations.csv, line 2: x = '300px' is not a finite number; correct or"
        " remove the row",
    ),
    Case(
        "a stray quote before a name",
        read(HEADER + '"a.png,s1,300,200\n' + GOOD),
        says="{folder}/fixations.csv, line 2: a quote opens here and no other closes it in "
        "this line, so that the lines below would be swallowed; remove the quote",
    ),
    Case(
        "two stray quotes with rows between",
        read(HEADER + 'a.png,"s1,300,200\n' + GOOD + 'a.png,s1",3,4\n'),
        says="{folder}/fixations.csv, line 2: a quote opens here and no other closes it in "
        "this line, so that the lines below would be swallowed; remove the quote",
    ),
    Case(
        "a stray quote after quoted text",
        read(HEADER + 'a.png,"s"1,300,200\n'),
        says="{folder}/fixations.csv, line 2: there is a quote where none may be (',' "
        "expected after '\"'); remove it",
    ),
    Case(
        "a quote that opens in the last line",
        read(HEADER + GOOD + 'a.png,s1,300,"200'),
        says="{folder}/fixations.csv, line 4: there is a quote where none may be (unexpected"
        " end of data); remove it",
    ),
    Case(
        "a quoted line break in a further column",
        read('stimulus,subject,x,y,note\na.png,s1,300,200,"far\nleft"\n'),
        says="{folder}/fixations.csv, line 2: a quote opens here and no other closes it in "
        "this line, so that the lines below would be swallowed; remove the quote",
    ),
    Case(
        "a quoted separator in a further column",
        read('stimulus,subject,x,y,note\na.png,s1,300,200,"far, left"\n'),
        gives="a.png 300 200",
    ),
    Case(
        "Latin-1",
        read((HEADER + "é.png,s1,3,4\n").encode("latin-1")),
        says="{folder}/fixations.csv, line 2: the byte 0xe9 is not UTF-8 text; save the file"
        " as UTF-8",
    ),
    Case(
        "UTF-16, as spreadsheets call Unicode text",
        read((HEADER + GOOD).encode("utf-16")),
        says="{folder}/fixations.csv is UTF-16 text; save it as UTF-8 (as CSV, not Unicode text)",
    ),
    Case(
        "an Excel workbook called CSV",
        read(b"PK\x03\x04\x14\0"),
        says="{folder}/fixations.csv is an Excel workbook or an archive; save the table as CSV"
        " in UTF-8",
    ),
    Case(
        "an old Excel workbook called CSV",
        read(b"\xd0\xcf\x11\xe0\xa1\xb1"),
        says="{folder}/fixations.csv is an Excel workbook or an archive; save the table as CSV"
        " in UTF-8",
    ),
    Case(
        "a table packed by gzip",
        read(gzip.compress((HEADER + GOOD).encode())),
        says="{folder}/fixations.csv is packed by gzip; unpack it",
    ),
    Case(
        "a table packed by bzip2",
        read(bz2.compress((HEADER + GOOD).encode())),
        says="{folder}/fixations.csv is packed by bzip2; unpack it",
    ),
    Case(
        "a table packed by xz",
        read(lzma.compress((HEADER + GOOD).encode())),
        says="{folder}/fixations.csv is packed by xz; unpack it",
    ),
    Case(
        "a Parquet file called CSV",
        read(b"PAR1\x15\x04\x15\x80"),
        says="{folder}/fixations.csv is a Parquet file; save the table as CSV in UTF-8",
    ),
    Case(
        "a further column that is called PAR1",
        read("PAR1,stimulus,subject,x,y\n9,a.png,s1,300,200\n"),
        gives="a.png 300 200",
    ),
    Case(
        "UTF-32",
        read((HEADER + GOOD).encode("utf-32")),
        says="{folder}/fixations.csv is UTF-32 text; save it as UTF-8",
    ),
    Case(
        "a note to a spreadsheet before the header",
        read("sep=;\n" + (HEADER + GOOD).replace(",", ";")),
        says="{folder}/fixations.csv, line 1: 'sep=;' is a comment or a note to a spreadsheet;"
        " the file must begin with its header",
    ),
    Case(
        "a comment before the header",
        read("# exported 2024\n" + HEADER + GOOD),
        says="{folder}/fixations.csv, line 1: '# exported 2024' is a comment or a note to a "
        "spreadsheet; the file must begin with its header",
    ),
    Case(
        "a header that is a comment",
        read("#" + HEADER + GOOD),
        says="{folder}/fixations.csv, line 1: '#stimulus,subject,x,y' is a comment or a note "
        "to a spreadsheet; the file must begin with its header",
    ),
    Case(
        "commas that separate thousands, in quotes",
        read(HEADER + GOOD + 'a.png,s1,"1,012",600\n'),
        says="{folder}/fixations.csv, line 4: x = '1,012' has a comma; write 1012 if it "
        "separates thousands, 1.012 if it is a decimal comma",
    ),
    Case(
        "commas that separate thousands, and a point",
        read(HEADER + GOOD + 'a.png,s1,"1,012.5",600\n'),
        says="{folder}/fixations.csv, line 4: x = '1,012.5' has commas that separate "
        "thousands; write 1012.5",
    ),
    Case(
        "a further column with a text of 140,000 characters",
        read(f"stimulus,subject,x,y,note\na.png,s1,300,200,{'x' * 140000}\n"),
        gives="a.png 300 200",
    ),
    Case(
        "a header with semicolons over rows with commas",
        read(HEADER.replace(",", ";") + GOOD),
        says="{folder}/fixations.csv, line 2: the row is separated by commas, the header by "
        "semicolons; separate all by the same",
    ),
    Case(
        "a header with commas over rows with semicolons and decimal commas",
        read(HEADER + "a.png;s1;300,5;200,5\n"),
        says="{folder}/fixations.csv, line 2: the row is separated by semicolons, the header "
        "by commas; separate all by the same",
    ),
    Case(
        "a row with tabs among rows with commas",
        read(HEADER + GOOD + "a.png\ts1\t3\t4\n"),
        says="{folder}/fixations.csv, line 4: the row is separated by tabs, the header by "
        "commas; separate all by the same",
    ),
    Case(
        "points that separate thousands",
        read(HEADER + GOOD + "a.png,s1,1.012,600\n"),
        says="{folder}/fixations.csv, line 4: x = '1.012' has a point where other numbers of "
        "the column are whole; if it separates thousands, write 1012, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "points that separate thousands, and a blink",
        read(HEADER + "a.png,s1,980,nan\na.png,s1,1.012,600\n", outside="drop"),
        says="{folder}/fixations.csv, line 3: x = '1.012' has a point where other numbers of "
        "the column are whole; if it separates thousands, write 1012, or insist by "
        "`coordinates: px` in the data set's entry",
    ),
    Case(
        "1.012 among whole numbers, with `coordinates: px`",
        read(HEADER + GOOD + "a.png,s1,1.012,600\n", coordinates="px"),
        gives="a.png 300 200; a.png 1.012 600; b.png 310 210",
    ),
    Case(
        "1.012 among numbers with decimal points",
        read(HEADER + GOOD + "a.png,s1,1.012,600\na.png,s1,310.5,600\n"),
        gives="a.png 300 200; a.png 1.012 600; a.png 310.5 600; b.png 310 210",
    ),
    Case(
        "a column that may hold onsets under another name",
        planned("stimulus,subject,x,y,fix_start,duration_ms\na.png,s1,300,200,-20,90\n"),
        gives="2 stimuli; {folder}/fixations.csv: no onset is read; if the column 'fix_start' "
        "holds it, call it onset or onset_s or onset_ms, so that fixations from before "
        "the stimulus are left out",
    ),
    Case(
        "a column of durations",
        planned("stimulus,subject,x,y,duration_ms\na.png,s1,300,200,90\n"),
        gives="2 stimuli",
    ),
    Case(
        "a photograph whose name begins with a blank",
        read(HEADER + " a.png,s1,300,200\n", names=(" a.png",)),
        gives=" a.png 300 200",
    ),
    Case(
        "two photographs whose names differ in a blank",
        read(HEADER + " a.png,s1,300,200\n", names=("a.png", " a.png")),
        says="data set 'mine': two images in {folder}/stimuli have the name 'a.png' but for "
        "blanks around it; remove or rename one",
    ),
    Case(
        "a NUL byte",
        read(HEADER + "a.png,s1,300,2\x0000\n"),
        says="{folder}/fixations.csv, line 2: the line holds a NUL byte, so it is no UTF-8 "
        "text or was damaged; write the file again as UTF-8",
    ),
    Case(
        "a name that no photograph has",
        read(HEADER + "c.png,s1,3,4\n"),
        says="{folder}/fixations.csv, line 2: there is no stimulus 'c.png' in "
        "{folder}/stimuli; the column takes a file name with its extension",
    ),
    Case(
        "a name in another case",
        read(HEADER + "A.PNG,s1,3,4\n"),
        says="{folder}/fixations.csv, line 2: there is no stimulus 'A.PNG' in "
        "{folder}/stimuli; upper and lower case count: there is 'a.png'",
    ),
    Case(
        "a photograph with an extension that is not read",
        read(HEADER + "c.webp,s1,3,4\n", lay_more=webp),
        says="{folder}/fixations.csv, line 2: there is no stimulus 'c.webp' in "
        "{folder}/stimuli; images with the extension .webp are not read, save it as PNG"
        " or JPEG",
    ),
    Case(
        "a photograph in a subfolder",
        read(HEADER + "sub/c.png,s1,3,4\n", lay_more=below),
        says="{folder}/fixations.csv, line 2: there is no stimulus 'sub/c.png' in "
        "{folder}/stimuli; the column takes a file name without a folder, and "
        "subfolders are not read",
    ),
    Case(
        "a name with blanks around it", read(HEADER + " a.png ,s1,300,200\n"), gives="a.png 300 200"
    ),
    Case(
        "a composed name of a file with a decomposed one",
        read(HEADER + f"{COMPOSED},s1,300,200\n", names=(DECOMPOSED,)),
        gives="é.png 300 200",
    ),
    Case(
        "a decomposed name of a file with a composed one",
        read(HEADER + f"{DECOMPOSED},s1,300,200\n", names=(COMPOSED,)),
        gives="é.png 300 200",
    ),
    Case(
        "two photographs with one name in two Unicode forms",
        read(HEADER + GOOD, names=(COMPOSED, DECOMPOSED)),
        says="data set 'mine': two images in {folder}/stimuli have the name 'é.png', in two"
        " forms of Unicode; remove or rename one",
    ),
    Case(
        "a blink without numbers",
        read(HEADER + "a.png,s1,nan,nan\n"),
        says="{folder}/fixations.csv, line 2: x = 'nan' is not a finite number; coordinates "
        "are 0-based px from the upper left pixel, correct or remove the row, or leave "
        "out such rows by `outside: drop`",
    ),
    Case(
        "a fixation at -1/-1",
        read(HEADER + GOOD + "a.png,s1,-1,-1\n"),
        says="{folder}/fixations.csv, line 4: x = '-1' lies outside the image; coordinates "
        "are 0-based px from the upper left pixel, correct or remove the row, or leave "
        "out such rows by `outside: drop`",
    ),
    Case(
        "a fixation beyond the right edge",
        read(HEADER + GOOD + "a.png,s1,1030,5\n"),
        says="{folder}/fixations.csv, line 4: x = 1030 lies outside the image, which is 1024"
        " px wide; coordinates are 0-based px, correct or remove the row, or leave out "
        "such rows by `outside: drop`",
    ),
    Case(
        "an infinite coordinate",
        read(HEADER + GOOD + "a.png,s1,inf,5\n"),
        says="{folder}/fixations.csv, line 4: x = 'inf' is not a finite number; coordinates "
        "are 0-based px from the upper left pixel, correct or remove the row, or leave "
        "out such rows by `outside: drop`",
    ),
    Case(
        "blinks and a fixation outside, with `outside: drop`",
        read(HEADER + ROWS, outside="drop"),
        gives="a.png 300 200; b.png 310 210",
    ),
    Case(
        "words, with `outside: drop`",
        read(HEADER + GOOD + "a.png,s1,left,5\n", outside="drop"),
        says="{folder}/fixations.csv, line 4: x = 'left' is not a finite number; correct or "
        "remove the row",
    ),
    Case(
        "first fixations, with `drop_first: true`",
        read(
            HEADER
            + "a.png,s1,512,384\na.png,s2,500,380\na.png,s1,300,200\nb.png,s1,512,384\n"
            + "a.png,s2,310,210\n",
            drop_first=True,
        ),
        gives="a.png 300 200; a.png 310 210",
    ),
    Case(
        "a lost eye before the first fixation, with `drop_first` and `outside: drop`",
        read(
            HEADER + "a.png,s1,,\na.png,s1,512,384\na.png,s1,300,200\n",
            drop_first=True,
            outside="drop",
        ),
        gives="a.png 300 200",
    ),
    Case(
        "a first fixation outside, with `drop_first` and `outside: drop`",
        read(HEADER + "a.png,s1,1100,384\na.png,s1,300,200\n", drop_first=True, outside="drop"),
        gives="a.png 300 200",
    ),
    Case(
        "negative onsets",
        read(
            "stimulus,subject,x,y,onset_ms\na.png,s1,512,384,-120\na.png,s1,300,200,90\na.png,s1,310,210,400\n"
        ),
        gives="a.png 300 200; a.png 310 210",
    ),
    Case(
        "rows not in the order of their onsets, with `drop_first: true`",
        read(
            "stimulus,subject,x,y,onset\na.png,s1,300,200,0.4\na.png,s1,512,384,0.1\n",
            drop_first=True,
        ),
        gives="a.png 300 200",
    ),
    Case(
        "a negative onset, with `drop_first: true`: this is the first",
        read(
            "stimulus,subject,x,y,onset\na.png,s1,512,384,-0.1\na.png,s1,300,200,0.2\n",
            drop_first=True,
        ),
        gives="a.png 300 200",
    ),
    Case(
        "a row without its onset, with `drop_first: true`: the order of the file counts",
        read(
            "stimulus,subject,x,y,onset\na.png,s1,512,384,0.1\na.png,s1,300,200,nan\n"
            "a.png,s1,310,210,0.4\n",
            drop_first=True,
        ),
        gives="a.png 300 200; a.png 310 210",
    ),
    Case(
        "onset beside onset_ms",
        read("stimulus,subject,x,y,onset,onset_ms\na.png,s1,300,200,,-50\n"),
        says="{folder}/fixations.csv has more than one column of onsets ('onset' and "
        "'onset_ms'), and they may differ; keep one",
    ),
    Case(
        "a column onset twice",
        read("stimulus,subject,x,y,onset,onset\na.png,s1,300,200,-1,5\n"),
        says="{folder}/fixations.csv has more than one column of onsets ('onset' and "
        "'onset'), and they may differ; keep one",
    ),
    Case(
        "an onset that is no number",
        read("stimulus,subject,x,y,onset\na.png,s1,512,384,early\n"),
        says="{folder}/fixations.csv, line 2: onset = 'early' is not a finite number; "
        "correct or remove the row",
    ),
    Case(
        "no fixation in the fit split",
        split("fit"),
        says="data set 'mine': no stimulus of the fit split has a fixation, so that there is"
        " no centre bias to compare with and nothing to train on; add fixations, or "
        "choose another n_blocks (a multiple of 10)",
    ),
    Case(
        "no fixation in the validation split",
        split("validation"),
        says="data set 'mine': no stimulus of the validation split has a fixation, so that "
        "nothing can be chosen; add fixations, or choose another n_blocks (a multiple "
        "of 10)",
    ),
    Case(
        "no fixation in the test split",
        split("test"),
        says="data set 'mine': no stimulus of the test split has a fixation, so that nothing"
        " can be scored; add fixations, or choose another n_blocks (a multiple of 10)",
    ),
]
