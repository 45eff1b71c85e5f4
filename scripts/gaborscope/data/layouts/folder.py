"""A data set of any origin in a plain folder: stimuli/ and fixations.csv."""

import csv
import hashlib
import itertools
import logging
import math
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gaborscope.data.layouts import coordinates
from gaborscope.data.layouts.scan import (
    IMAGE_EXTENSIONS,
    MISSING,
    Scan,
    images,
    observer,
    observer_number,
    one_form,
    say_alike,
    stamp,
)
from gaborscope.errors import InputError

log = logging.getLogger("gaborscope")
csv.field_size_limit((1 << 31) - 1)  # a column that is not read may hold long texts

COLUMNS = ("stimulus", "subject", "x", "y")
ONSETS = ("onset", "onset_s", "onset_ms")  # sign and order count, so the unit does not matter
LIKE_ONSETS, UNLIKE_ONSETS = re.compile("onset|start|begin|time"), re.compile("dur|end|off")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
THOUSANDS = re.compile(r"[1-9]\d?\.\d{3}")
_WORKBOOK = "an Excel workbook or an archive; save the table as CSV in UTF-8"
_UTF16 = "UTF-16 text; save it as UTF-8 (as CSV, not Unicode text)"
SIGNATURES = {  # first bytes of what is no CSV
    b"PK\x03\x04": _WORKBOOK,
    b"\xd0\xcf\x11\xe0": _WORKBOOK,
    b"\x1f\x8b": "packed by gzip; unpack it",
    b"BZh": "packed by bzip2; unpack it",
    b"\xfd7zXZ": "packed by xz; unpack it",
    b"\x28\xb5\x2f\xfd": "packed by zstd; unpack it",
    b"7z\xbc\xaf": "packed by 7-Zip; unpack it",
    b"PAR1": "a Parquet file; save the table as CSV in UTF-8",
    b"ARROW1": "a Feather file; save the table as CSV in UTF-8",
    b"\x89HDF": "an HDF5 file; save the table as CSV in UTF-8",
    b"\xff\xfe\0\0": "UTF-32 text; save it as UTF-8",
    b"\0\0\xfe\xff": "UTF-32 text; save it as UTF-8",
    b"\xff\xfe": _UTF16,
    b"\xfe\xff": _UTF16,
}


class Fixation(NamedTuple):
    """A row of fixations.csv: x and y are nan where the eye was lost, onset if it is not stated."""

    line: int
    stimulus: str
    subject: str
    x: float
    y: float
    onset: float
    text: str  # that the digest of the stimulus is made of


def scan(folder: Path, settings: Mapping[str, Any], name: str) -> Scan:
    """Return the `Scan` of the images in stimuli/ and of the rows of fixations.csv."""
    stimuli = images(folder / "stimuli", name)
    table = folder / "fixations.csv"
    try:
        tables: list[Any] = [stamp(table)]
    except OSError:
        raise InputError(
            f"data set '{name}': there is no readable {table}; write one with the header "
            f"'{','.join(COLUMNS)}' and a row per fixation"
        ) from None
    return Scan(
        stimuli,
        tables=[*tables, *coordinates.checks(settings)],
        contents=lambda: _row_digests(table, stimuli, settings),
    )


def _row_digests(path, stimuli, settings):
    """Return {stimulus: digest of its rows}; every row is checked."""
    rows: dict[str, Any] = {}
    whole: dict[str, list[Any]] = {"x": [0.0], "y": [0.0]}
    if settings.get("coordinates") == "px":
        whole = {}
    for fixation in read_fixations(path, stimuli, settings):
        if fixation.stimulus in rows:
            rows[fixation.stimulus].update(f"\x1f{fixation.text}".encode())
        else:
            rows[fixation.stimulus] = hashlib.sha256(fixation.text.encode())
        if whole:
            _note_thousands(whole, fixation)
    for column, (largest, *pointed) in whole.items():
        if pointed and largest >= 100:
            line, text = pointed[0]
            raise InputError(
                f"{path}, line {line}: {column} = {text!r} has a point where other numbers of the "
                f"column are whole; if it separates thousands, write {text.replace('.', '')}, "
                + coordinates.INSIST
            )
    if not rows:
        raise InputError(f"{path} has a header but no fixation; add a row per fixation")
    return {stimulus: digest.hexdigest() for stimulus, digest in rows.items()}


def _note_thousands(whole, fixation):
    """
    Note numbers like 1.024 by column, behind the largest number without a point.

    A column with a point in any other number goes: there, points are decimal.
    """
    for column, text in zip("xy", fixation.text.split("\x1f")[1:3], strict=True):
        if column in whole and "." not in text:
            whole[column][0] = max(whole[column][0], getattr(fixation, column))
        elif column in whole and THOUSANDS.fullmatch(text.strip()):
            whole[column].append((fixation.line, text))
        else:
            whole.pop(column, None)


# ---------------------------------------------------------------------------------------------
# Fixations


def read_fixations(
    path: Path,
    stimuli: Collection[str],
    settings: Mapping[str, Any],
    wanted: Collection[str] | None = None,
) -> Iterator[Fixation]:
    """
    Yield the fixations of a fixations.csv; what is wrong with a number raises after the last row.

    Parameters
    ----------
    path : Path
    stimuli : collection of str
        All file names in the folder stimuli.
    settings : dict
        The data set's entry of the config. With `outside: drop` rows without coordinates, and those
        at -1/-1 or 0/0, are blinks: their x and y are nan. `coordinates: px` keeps 0/0.
    wanted : collection of str, optional
        Stimuli whose fixations are yielded; all by default.

    Raises
    ------
    InputError
        As `read_fixation_rows`, and if a row has an unknown stimulus, no observer, or a coordinate
        that is no number or below -0.5; if two observers would get one number; or if the
        coordinates are not px of the images (`coordinates.require_px`).
    """
    forms = {one_form(name).strip(): name for name in stimuli}
    drop = settings.get("outside") == "drop"
    lost = {(-1, -1)} if settings.get("coordinates") == "px" else {(-1, -1), (0, 0)}
    names, subjects, observers, sample, error = {}, {}, {}, {}, None
    by_observer: dict[str, coordinates.Observer] = {}
    for line, *texts in read_fixation_rows(path):
        stimulus, subject, x_text, y_text, onset_text = texts
        if (name := names.get(stimulus)) is None:
            name = names[stimulus] = forms.get(one_form(stimulus.strip()))
            if name is None:
                raise _unknown_stimulus(path, line, stimulus.strip(), stimuli)
        if subject not in subjects:
            subjects[subject] = observer(subject)
            observers.setdefault(subjects[subject], line)
            by_observer.setdefault(subjects[subject], coordinates.Observer())
        taken = wanted is None or name in wanted
        points = sample.get(name)
        if points is None and len(sample) < coordinates.N_STIMULI:
            points = sample[name] = []
        if not taken and points is None:
            continue
        x, y = _number(path, line, "x", x_text), _number(path, line, "y", y_text)
        onset = _number(path, line, "onset", onset_text) if onset_text else math.nan
        if drop and (x, y) in lost:
            x = y = math.nan
        if not onset < 0:
            if points is not None and len(points) < coordinates.N_FIXATIONS:
                points.append((x, y))
            if wanted is None:
                by_observer[subjects[subject]].add(x, y, name)
            if not (error or drop or (-0.5 <= x < math.inf and -0.5 <= y < math.inf)):
                column, text = ("y", y_text) if -0.5 <= x < math.inf else ("x", x_text)
                error = number_error(path, line, column, text)
        if taken:
            text = f"{subjects[subject]}\x1f{x_text}\x1f{y_text}"
            yield Fixation(
                line, name, subjects[subject], x, y, onset,
                f"{text}\x1f{onset_text}" if onset_text else text,
            )  # fmt: skip
    _check_observers(path, observers)
    folder = path.parent / "stimuli"
    coordinates.require_px(
        path,
        sample,
        lambda n: coordinates.image_size(folder / n, settings),
        settings,
        by_observer if wanted is None else None,
    )
    if error:
        raise error


def number_error(path: str | Path, line: int, column: str, text: str) -> InputError:
    """Return the InputError for a coordinate that is not finite or below -0.5."""
    try:
        negative = -math.inf < float(text) < -0.5
    except ValueError:
        negative = False
    fault = "lies outside the image" if negative else "is not a finite number"
    return InputError(
        f"{path}, line {line}: {column} = {text!r} {fault}; coordinates are 0-based px from the "
        "upper left pixel, correct or remove the row, or leave out such rows by `outside: drop`"
    )


def _number(path, line, column, text):
    """Return the number in a column, nan if it is missing."""
    try:
        if "_" not in text:  # Python takes 1_000
            return float(text)
    except ValueError:
        if text.strip().lower() in MISSING:
            return math.nan
    if re.fullmatch(r"[+-]?[1-9]\d?\d?,\d{3}", text.strip()):
        fault = (
            f"has a comma; write {text.strip().replace(',', '')} if it separates thousands, "
            f"{text.strip().replace(',', '.')} if it is a decimal comma"
        )
    elif re.fullmatch(r"[+-]?[1-9]\d?\d?(,\d{3})+(\.\d*)?", text.strip()):
        fault = f"has commas that separate thousands; write {text.strip().replace(',', '')}"
    elif re.fullmatch(r"[+-]?\d+,\d*", text):
        fault = f"has a decimal comma; write decimal points ({text.replace(',', '.')})"
    else:
        fault = "is not a finite number; correct or remove the row"
    raise InputError(f"{path}, line {line}: {column} = {text!r} {fault}")


def _check_observers(path, observers):
    """Raise if an id is missing or two have one number; say which may be one observer."""
    numbers: dict[int, str] = {}
    for subject, line in observers.items():
        if subject.lower() in MISSING:
            raise InputError(
                f"{path}, line {line}: the row has no subject; write the observer's id, or one id "
                "in all rows if observers are not told apart"
            )
        other = numbers.setdefault(observer_number(subject), subject)
        if other != subject:
            raise InputError(
                f"{path}, line {line}: the observers {other!r} and {subject!r} have the same "
                "checksum, by which observers are told apart; rename one of them"
            )
    say_alike(path, observers)


def _unknown_stimulus(path, line, stimulus, stimuli):
    folder = path.parent / "stimuli"
    extension = Path(stimulus).suffix.lower()
    alike = [name for name in stimuli if one_form(name).casefold() == one_form(stimulus).casefold()]
    remedy = "the column takes a file name with its extension"
    if "/" in stimulus or "\\" in stimulus:
        remedy = "the column takes a file name without a folder, and subfolders are not read"
    elif alike:
        remedy = f"upper and lower case count: there is {alike[0]!r}"
    elif extension and extension not in IMAGE_EXTENSIONS and (folder / stimulus).exists():
        remedy = f"images with the extension {extension} are not read, save it as PNG or JPEG"
    return InputError(
        f"{path}, line {line}: there is no stimulus {stimulus!r} in {folder}; {remedy}"
    )


# ---------------------------------------------------------------------------------------------
# Text


def read_fixation_rows(path: str | Path) -> Iterator[tuple[int, str, str, str, str, str]]:
    """
    Yield (line number, stimulus, subject, x, y, onset) of each row of a fixations.csv.

    UTF-8 with or without byte order mark, any line ends, separated by commas, semicolons or tabs;
    columns in any order and case; further columns and empty rows are ignored. The line number
    counts from 1; the others are text as written. The onset is "" where no column states it.

    Raises
    ------
    InputError
        If the file has no header, lacks a column or has one twice, has a row with more or fewer
        values than the header, a line break between quotes, or is not text of this kind.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            start = file.read(64)
        binary = re.search(rb"[^\t\n\r -~]", start)  # a column may be called PAR1
        for signature, what in SIGNATURES.items():
            if binary and start.startswith(signature):
                raise InputError(f"{path} is {what}")
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield from _rows(path, _lines(path, file))
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check its permissions"
        ) from None


def _lines(path, file):
    for number, text in enumerate(file, 1):
        if "\0" in text:
            raise InputError(
                f"{path}, line {number}: the line holds a NUL byte, so it is no UTF-8 text or was "
                "damaged; write the file again as UTF-8"
            )
        yield text


def _rows(path, lines):
    skipped, first = next(((n, text) for n, text in enumerate(lines) if text.strip()), (0, None))
    if first is None:
        raise InputError(f"{path} is empty; it needs the header '{','.join(COLUMNS)}'")
    if re.match(r'"?\s*(#|//|%|sep=)', first, re.IGNORECASE):
        raise InputError(
            f"{path}, line {skipped + 1}: {first.strip()!r} is a comment or a note to a "
            "spreadsheet; the file must begin with its header"
        )
    separator = max(SEPARATORS, key=lambda s: len(set(COLUMNS) & set(_names(first.split(s)))))
    reader = csv.reader(
        itertools.chain([first], lines), delimiter=separator, skipinitialspace=True, strict=True
    )
    records = _records(path, reader, skipped)
    _, header = next(records)
    stimulus, subject, x, y = (_column(path, header, wanted, first) for wanted in COLUMNS)
    names = _names(header)
    onsets = [place for place, name in enumerate(names) if name in ONSETS]
    if len(onsets) > 1:
        these = " and ".join(repr(header[place].strip()) for place in onsets)
        raise InputError(
            f"{path} has more than one column of onsets ({these}), and they may differ; keep one"
        )
    onset = onsets[0] if onsets else None
    like = [n for n in names if LIKE_ONSETS.search(n) and not UNLIKE_ONSETS.search(n)]
    if onset is None and like:
        log.warning(
            "%s: no onset is read; if the column %r holds it, call it %s, so that fixations from "
            "before the stimulus are left out", path, like[0], " or ".join(ONSETS),
        )  # fmt: skip
    for line, row in records:
        if len(row) != len(header) or not row[stimulus].strip():
            if not any(text.strip() for text in row):
                continue
            if len(row) != len(header):
                raise _wrong_length(path, line, row, header, separator)
        onset_text = "" if onset is None else row[onset].strip()
        yield line, row[stimulus], row[subject], row[x], row[y], onset_text


def _records(path, reader, skipped):
    """Yield (line number, values) of each row; a row must not go on in another line."""
    line, fault = skipped, None
    try:
        for row in reader:
            line += 1
            if reader.line_num + skipped > line:
                break
            yield line, row
        else:
            return
    except csv.Error as error:
        line, fault = line + 1, error
    if reader.line_num + skipped > line:
        raise InputError(
            f"{path}, line {line}: a quote opens here and no other closes it in this line, so that "
            "the lines below would be swallowed; remove the quote"
        )
    raise InputError(
        f"{path}, line {line}: there is a quote where none may be ({fault}); remove it"
    )


def _names(header):
    return [one_form(name).strip(' \t\r\n\ufeff"').casefold() for name in header]


def _column(path, header, wanted, text):
    exact = [place for place, name in enumerate(header) if name.strip() == wanted]
    places = exact or [place for place, name in enumerate(_names(header)) if name == wanted]
    if len(places) == 1:
        return places[0]
    fault = f"two columns '{wanted}'" if places else f"no column '{wanted}'"
    raise InputError(
        f"{path} has {fault}: its header is {text.strip()!r}; '{','.join(COLUMNS)}' are needed "
        "once each, separated by commas, semicolons or tabs"
    )


def _wrong_length(path, line, row, header, separator):
    remedy, text = "complete or remove it", separator.join(row)
    for other, what in SEPARATORS.items():
        if other != separator and text.count(other) == len(header) - 1:
            return InputError(
                f"{path}, line {line}: the row is separated by {what}, the header by "
                f"{SEPARATORS[separator]}; separate all by the same"
            )
    if len(row) > len(header) and separator == ",":
        remedy = (
            "if its numbers have decimal commas, write points, else quote or remove what is more"
        )
    return InputError(
        f"{path}, line {line}: the row has {len(row)} values where the header has {len(header)}; "
        + remedy
    )


def _not_utf8(path):
    data = path.read_bytes()
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = len(data[: error.start + 1].splitlines())
        return InputError(
            f"{path}, line {line}: the byte {data[error.start]:#04x} is not UTF-8 text; save the "
            "file as UTF-8"
        )
    return InputError(f"{path} changed while it was read; try again")
