"""Image files as arrays: which pixels a file means, and when it does not say."""

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from gaborscope.errors import InputError, reading, require_file

# Content decides, not the extension. Other formats are refused; some start other programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
BACKGROUND = (255, 255, 255)  # behind transparent pixels
REMEDY = "save it again as 8-bit PNG or JPEG, or remove it"

ORIENTATION, BITS, PHOTOMETRIC, MAX_VALUE = 0x0112, 258, 262, 281  # tags of EXIF and TIFF
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
        If the file is missing, damaged, cut (a JPEG also if its end was mended), not an image, of
        several pages or frames, invisible all over, of 32 bits per channel, or of 16 bits of which
        the upper two are empty but in one of 10,000 pixels (a range of fewer bits that is not
        stated); or if `exif` is needed. Not all damage within a JPEG can be seen: it has no sums.
    """
    require_file(path, "image", "was it moved or deleted?")
    with reading(f"{path} cannot be read as an image", REMEDY), _open(path) as file:
        return _decoded(path, file, exif)


def _open(source):
    try:
        return Image.open(source, formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError("it is damaged, or no JPEG, PNG, TIFF, BMP, GIF or WebP") from None


def read_grey(path: str | Path) -> np.ndarray:
    """
    Return the values of a grey image, as they are stored: a map, not a photograph.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    values : array (height, width)
        bool, uint8, uint16, int32 or float32; WhiteIsZero is inverted.

    Raises
    ------
    InputError
        If the file is missing, damaged, cut, not an image or of several pages; has colours,
        transparency or an EXIF orientation other than 1.
    """
    require_file(path, "image")
    with reading(f"{path} cannot be read as an image", "write it again"), _open(path) as file:
        tags, orientation = getattr(file, "tag_v2", {}), _load(path, file)
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
        if file.mode.startswith("I;16"):
            values = np.asarray(file).astype(np.uint16)
            return np.uint16(65535) - values if inverted else values
        if file.mode in ("1", "L", "I") or (file.mode == "F" and not inverted):
            return np.array(file)
        if file.mode == "F":
            raise InputError(f"{path} has floats in which white is zero; save it as .npy")
        values = np.asarray(file.convert("RGB"))
    if (values != values[..., :1]).any():
        raise InputError(f"{path} is coloured; save the map in grey, without a colour map")
    return values[..., 0].copy()


def _load(path, file):
    """Decode an image and return its EXIF orientation."""
    if getattr(file, "n_frames", 1) > 1 and file.format != "MPO":  # an MPO begins with the photo
        raise InputError(
            f"{path} holds {file.n_frames} pages or frames; save the one that was shown as a file "
            "of its own"
        )
    orientation = file.getexif().get(ORIENTATION, 1)  # before loading: Pillow turns a TIFF then
    file.load()
    _check_whole(path, file)
    return orientation


def _decoded(path, file, exif):
    kind, tags = file.format, getattr(file, "tag_v2", {})
    # 16 bits per channel; in a BMP they are those of all three
    wide = file.format != "BMP" and any(";16" in str(tile[3]) for tile in file.tile)
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
    at, ends, sent, in_scan = 2, [], {}, False
    while match := MARKER.search(data, at):
        if in_scan:
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
        if marker == 0xDA:
            in_scan = True
            first, last, low = body[-3], body[-2], body[-1] & 15
            for component in body[1 : 1 + 2 * body[0] : 2]:
                sent[component][first : last + 1] = [low] * (last + 1 - first)
    raise ValueError("it has no end")
