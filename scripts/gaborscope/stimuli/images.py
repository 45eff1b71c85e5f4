"""Image files as arrays: which pixels a file means, and when it does not say."""

import contextlib
import io
import re
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from gaborscope.errors import InputError, reading, require_file

# Content decides, not the extension. Other formats are refused; some start other programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
BACKGROUND = (255, 255, 255)  # behind transparent pixels
REMEDY = "save it again as 8-bit PNG or JPEG, or remove it"

ORIENTATION, BITS, PHOTOMETRIC, MAX_VALUE = 0x0112, 258, 262, 281  # tags of EXIF and TIFF
SAMPLE_FORMAT, SIGNED = 339, 2
ZEROS = bytes(256)  # more than a JPEG's scan holds in a row, unless zeros mean flat blocks
TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # from the stored to the upright picture
BACK = {**TURN, 6: TURN[8], 8: TURN[6]}

MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)  # none of those within a scan
RESTART, RESTARTS = re.compile(rb"\xff[\xd0-\xd7]"), range(0xD0, 0xD8)
NOISE = bytes((89 * i + 37) % 251 for i in range(256))


def read_image(path: str | Path, exif: str | None = None) -> np.ndarray:
    """Return the pixels that `open_image` returns."""
    return open_image(path, exif)[0]


def open_image(path: str | Path, exif: str | None = None) -> tuple[np.ndarray, list[str]]:
    """
    Return an image as uint8 RGB, and what had to be decided about it.

    Greyscale and palette images become RGB. Transparent pixels are shown on white. CMYK is
    converted without a colour profile, and no other profile is applied. Greyscale of 16 bits is
    scaled by 255/65535, or by the largest value of its range if a TIFF states fewer bits; of RGB
    with 16 bits the upper eight are kept.

    Parameters
    ----------
    path : str or Path
    exif : {"apply", "ignore"}, optional
        Whether an image whose EXIF orientation is not 1 is turned upright or taken as stored. If
        None, such an image is refused.

    Returns
    -------
    image : uint8 array (height, width, 3)
    notes : list of str
        What was decided and may surprise, for the log.

    Raises
    ------
    InputError
        If the file is missing, damaged, cut (a JPEG also if its end was mended, or zeros stand in
        the place of a part), not an image, of
        several pages or frames, invisible all over, of 32 bits per channel, or of 16 bits of which
        the upper two are empty but in one of 10,000 pixels (a range of fewer bits that is not
        stated); or if `exif` is needed. Not all damage within a JPEG can be seen: it has no sums.
    """
    require_file(path, "image", "was it moved or deleted?")
    with _opened(path, REMEDY) as (file, warned):
        image, notes = _decoded(path, file, exif)
    if any("EXIF" in str(warning.message) for warning in warned):
        notes.append("a part of its EXIF data is damaged and not used")
    return image, notes


@contextlib.contextmanager
def _opened(path, remedy):
    """Open an image; what goes wrong until the block ends is said in one sentence."""
    with (
        reading(f"{path} cannot be read as an image", remedy),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        try:
            file = Image.open(path, formats=FORMATS)
        except UnidentifiedImageError:
            raise ValueError("it is damaged, or no JPEG, PNG, TIFF, BMP, GIF or WebP") from None
        with file:
            yield file, warned


def read_grey(path: str | Path) -> np.ndarray:
    """
    Return the values of a grey image, as they are stored: a map, not a photograph.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    values : array (height, width)
        bool, integers of 8, 16 or 32 bits, or float32; WhiteIsZero is inverted.

    Raises
    ------
    InputError
        If the file is missing, damaged, cut, not an image or of several pages; has colours,
        transparency or an EXIF orientation other than 1.
    """
    require_file(path, "image")
    with _opened(path, "write it again") as (file, _):
        tags, wide = getattr(file, "tag_v2", {}), _is_wide(file)
        signed = SIGNED in tags.get(SAMPLE_FORMAT, ())
        orientation = _load(path, file)
        if orientation in TURN:
            raise InputError(
                f"{path} has the EXIF orientation {orientation}; save the map as it is seen"
            )
        if "A" in file.mode.upper() or "transparency" in file.info:
            image = file.convert("RGBA")
            least, most = image.getchannel("A").getextrema()
            if least < most:
                raise InputError(
                    f"{path} is transparent in places; save the map in grey, without transparency"
                )
            file = image.convert("RGB")
        inverted = tags.get(PHOTOMETRIC) == 0
        if signed and inverted:
            raise InputError(f"{path} has signed values in which white is zero; save it as .npy")
        if file.mode.startswith("I;16"):
            values = np.asarray(file).astype(np.uint16)
            return np.uint16(65535) - values if inverted else values
        if file.mode == "I" and tags.get(BITS) == (32,) and not signed:
            values = np.array(file).view(np.uint32)  # Pillow takes them as signed
            return np.uint32(2**32 - 1) - values if inverted else values
        if file.mode == "L" and signed:
            return np.array(file).view(np.int8)
        if file.mode in ("1", "L", "I") or (file.mode == "F" and not inverted):
            return np.array(file)
        if file.mode == "F":
            raise InputError(f"{path} has floats in which white is zero; save it as .npy")
        values = _all_bits(path) if wide else np.asarray(file.convert("RGB"))
    if (values != values[..., :1]).any():
        raise InputError(f"{path} is coloured; save the map in grey, without a colour map")
    return values[..., 0].copy()


def _is_wide(file):
    """Whether an image has 16 bits per channel; in a BMP they are those of all three."""
    return file.format != "BMP" and any(";16" in str(tile[3]) for tile in file.tile)


def _all_bits(path):
    """Values of several channels of 16 bits, of which Pillow keeps the upper eight."""
    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise InputError(f"{path} has several channels of 16 bits; save the map in grey, as .npy")
    return values[..., None] if values.ndim == 2 else values[..., :3]


def _load(path, file):
    """Decode an image and return its EXIF orientation."""
    if getattr(file, "n_frames", 1) > 1 and file.format != "MPO":  # an MPO begins with the photo
        raise InputError(
            f"{path} holds {file.n_frames} pages or frames; save the one that was shown as a file "
            "of its own"
        )
    orientation = file.getexif().get(ORIENTATION, 1)  # before loading: Pillow turns a TIFF then
    palette = file.palette if file.mode == "P" and file.format in ("PNG", "BMP") else None
    colours = len(palette.palette) // len(palette.rawmode or "RGB") if palette else 0
    file.load()
    if file.mode == "P" and file.format in ("PNG", "BMP") and file.getextrema()[1] >= colours:
        raise InputError(
            f"{path} has a palette of {colours} colours, but a pixel of colour "
            f"{file.getextrema()[1]} (they count from 0): it is damaged; get it anew"
        )
    _check_whole(path, file)
    return orientation


def _decoded(path, file, exif):
    kind, tags = file.format, getattr(file, "tag_v2", {})
    if SIGNED in tags.get(SAMPLE_FORMAT, ()):
        raise InputError(f"{path} has signed values; {REMEDY}")
    wide = _is_wide(file)
    orientation = _load(path, file)
    image, notes = _rgb(path, file, tags, wide)
    if file.info.get("icc_profile") and b"sRGB" not in _ascii(file.info["icc_profile"]):
        notes.append("its colour profile is not applied")
    if orientation not in TURN:
        return np.array(image), notes
    if exif not in ("apply", "ignore"):
        raise InputError(
            f"{path} has the EXIF orientation {orientation}: viewers turn or mirror it, and the "
            "file does not say whether the fixations mean the stored or the upright picture; set "
            "exif: apply (upright) or exif: ignore (as stored)"
        )
    if exif == "apply":
        notes.append("turned upright, as its EXIF orientation says")
        turn = None if kind == "TIFF" else TURN[orientation]
    else:
        notes.append("its EXIF orientation is ignored")
        turn = BACK[orientation] if kind == "TIFF" else None
    return np.array(image if turn is None else image.transpose(turn)), notes


def _ascii(profile):
    """Return a colour profile without the zeros of UTF-16 text."""
    return profile.replace(b"\0", b"")


def _rgb(path, file, tags, wide):
    """Return the image in RGB and notes."""
    if file.mode.startswith("I;16") or (file.mode == "I" and file.format == "PNG"):
        return _of_16_bits(path, file, tags)
    if file.mode in ("I", "F"):
        raise InputError(f"{path} has 32 bits per channel (mode {file.mode}); {REMEDY}")
    notes = ["CMYK is converted without a colour profile"] if file.mode == "CMYK" else []
    if file.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in file.info:
        image = file.convert("RGBA")
        shown = np.asarray(image)
        shown = shown[shown[..., 3] > 0]
        if wide and shown.size:
            _check_range(path, shown[:, :3].max(axis=1), 64)
            _check_range(path, shown[:, 3], 64)
        least, most = image.getchannel("A").getextrema()
        if most == 0:
            raise InputError(f"{path} is transparent all over; save it without transparency")
        if least < 255:
            notes.append("transparent pixels are shown on white")
            background = Image.new("RGBA", image.size, BACKGROUND)
            image = Image.alpha_composite(background, image)
        image = image.convert("RGB")
    else:
        image = file.convert("RGB")
        if wide:
            _check_range(path, np.asarray(image).max(axis=2), 64)
    return image, notes


def _of_16_bits(path, file, tags):
    values, notes, white = np.asarray(file).astype(np.uint16), [], 65535
    stated = 4095 if tags.get(BITS) == (12,) else tags.get(MAX_VALUE, (0,))[0]
    if stated in [2**bits - 1 for bits in range(9, 16)] and values.max() <= stated:
        white = stated
        notes.append(f"its grey values are scaled from 0..{white}, as its tags say")
    else:
        _check_range(path, values, 16384)
    levels = np.rint(np.arange(white + 1) * (255 / white)).astype(np.uint8)
    if tags.get(PHOTOMETRIC) == 0:  # WhiteIsZero, which Pillow heeds up to 8 bits alone
        levels = levels[::-1]
    grey = levels[values]
    key = file.info.get("transparency")
    if isinstance(key, int) and (values == key).any():
        notes.append("transparent pixels are shown on white")
        grey[values == key] = BACKGROUND[0]
    return Image.fromarray(grey).convert("RGB"), notes


def _check_range(path, values, quarter):
    """Refuse values of 16 bits of which the upper two are empty but in a few hot pixels."""
    hot = max(1, values.size // 10000) if values.size > 1000 else 0
    if np.count_nonzero(values >= quarter) <= hot and values.any():
        raise InputError(
            f"{path} has 16 bits per channel, but its values use less than a quarter of their "
            "range: fewer bits seem to be stored in 16, which would be nearly black; save it as "
            "8-bit PNG with the brightness that was shown"
        )


# --- files that were damaged, though they can be decoded ------------------------------------------


def _check_whole(path, file):
    if file.format == "PNG":  # Pillow does not check the sums of the pixels' chunks on loading
        with Image.open(path, formats=("PNG",)) as again:
            again.verify()
    if file.format in ("JPEG", "MPO") and _is_cut(Path(path).read_bytes(), file):
        raise InputError(
            f"{path} is a JPEG that was cut or damaged, so that a part of the picture is missing; "
            "fetch it again, or remove it"
        )


def _is_cut(data, file):
    """
    Return whether a part of a JPEG ends before its picture does.

    The decoder fills what is missing with grey and says nothing. Noise put in before a marker is
    skipped in a whole file, but drawn as the missing part in one that was cut. So a file that may
    be cut is decoded once more with noise before each marker: where the last pixel is the filling
    grey, and whatever it is where several scans or intervals make the picture.
    """
    ends, complete = _ends(data)
    if not complete:
        return True
    grey = {"L": 128, "RGB": (128, 128, 128)}.get(file.mode)
    last = file.getpixel((file.width - 1, file.height - 1))
    if len(ends) == 1 and grey is not None and last != grey:
        return False
    restart = next((data[at + 1] for at in reversed(ends[:-1]) if data[at + 1] in RESTARTS), 0xCF)
    parts = [data[a:b] for a, b in zip([0, *ends], [*ends, None], strict=True)]
    parts[-1:] = [bytes((0xFF, 0xD0 + (restart + 1) % 8)), parts[-1]]
    with Image.open(io.BytesIO(NOISE.join(parts)), formats=("JPEG",)) as other:
        return other.tobytes() != file.tobytes()


def _ends(data):
    """Return where the parts of a JPEG's first picture end, and if they send all coefficients."""
    at, ends, sent, in_scan, tables, flat = 2, [], {}, False, {}, True
    while match := MARKER.search(data, at):
        if in_scan:
            if not flat and data.find(ZEROS, at, match.start()) >= 0:
                return ends, False
            ends += [interval.start() for interval in RESTART.finditer(data, at, match.start())]
            ends.append(match.start())
        marker, at, in_scan = match[1][0], match.end(), False
        if marker == 0xD9:
            return ends, all(set(bits) == {0} for bits in sent.values())
        if marker in (0x01, 0xD8):
            continue
        length = int.from_bytes(data[at : at + 2])
        body, at = data[at + 2 : at + length], at + length
        if marker in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA):  # a frame names its components
            sent = {body[6 + 3 * i]: [None] * 64 for i in range(body[5])}
        if marker == 0xC4:
            tables.update(_zero_symbols(body))
        if marker == 0xDA:
            in_scan = True
            first, last, low = body[-3], body[-2], body[-1] & 15
            flat = _zeros_are_flat(body, tables)
            for component in body[1 : 1 + 2 * body[0] : 2]:
                sent[component][first : last + 1] = [low] * (last + 1 - first)
    raise ValueError("it has no end")


def _zero_symbols(body):
    """Return what the code of zeros alone means, of each Huffman table of a segment."""
    found = {}
    while len(body) > 17:
        found[body[0]] = body[17]  # codes are counted up from zero
        body = body[17 + sum(body[1:17]) :]
    return found


def _zeros_are_flat(header, tables):
    """
    Return whether a run of zeros in a scan can be a flat part of the picture.

    In the usual tables it cannot: zeros mean a coefficient of -1, 63 times in each block. Tables
    that were made for a picture may have the shortest code for "as before" and "no coefficient".
    """
    first, last, high = header[-3], header[-2], header[-1] >> 4
    for used in header[2 : 2 + 2 * header[0] : 2]:
        if first == 0 and high == 0 and tables.get(used >> 4, 0) != 0:
            return False
        symbol = tables.get(16 + (used & 15), 0)
        if last > 0 and (symbol & 15 or symbol == 0xF0):
            return False
    return True
