"""Photographs that are damaged, or that programs show in different ways."""

import io
import struct
import zlib

import numpy as np
from bad_input.case import Case
from PIL import Image

from gaborscope.stimuli.images import open_image

FAMILY = "Photographs"
REMEDY = "save it again as 8-bit PNG or JPEG, or remove it"
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
RAMP = np.linspace(0, 255, 2400).astype(np.uint8).reshape(40, 60)


def encoded(image, kind, **options):
    """Bytes of an image, an array or one of Pillow's."""
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(values, bits, white_is_zero=False, more=()):
    """Bytes of a little-endian TIFF of one strip; values are bytes of 60 x 40 px."""
    tags = [(256, 60), (257, 40), (258, bits), (259, 1), (262, int(not white_is_zero))]
    tags += [(273, 8), (277, 1), (278, 40), (279, len(values)), *more]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags))
    head = struct.pack("<2sHI", b"II", 42, 8 + len(values))
    return head + values + struct.pack("<H", len(tags)) + entries + bytes(4)


def chunk(kind, body):
    """Bytes of one chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(head, pixels, before=b""):
    """Bytes of a PNG; head is (width, height, bits, colour type, interlace)."""
    width, height, bits, colour, interlace = head
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    parts = [chunk(b"IHDR", header), before, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def shown(data, name="a.png", exif=None):
    """Return a use that writes a file and says what is read from it."""

    def use(folder):
        (folder / name).write_bytes(data)
        image, notes = open_image(folder / name, exif)
        first, last = (tuple(int(v) for v in image[at, at]) for at in (0, -1))
        size = f"{image.shape[1]} x {image.shape[0]} px, first pixel {first}, last {last}"
        return "; ".join([size, *notes])

    return use


# first row and column, steps, of each pass of an interlaced PNG
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
ADAM7 += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def turned(kind, orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(np.dstack([RAMP] * 3), kind, exif=exif)


def closed(data):
    """Return the first half of a JPEG with an end marker."""
    return data[: len(data) // 2] + b"\xff\xd9"


def cut_at_a_restart():
    data = encoded(PICTURE, "JPEG", restart_marker_blocks=1)
    return data[: data.index(b"\xff\xd7")] + b"\xff\xd9"


def half_of_the_scans():
    data = encoded(PICTURE, "JPEG", progressive=True)
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    return data[: scans[3]] + b"\xff\xd9"


def hollow(marker, **options):
    """Return a JPEG that lacks the last 64 bytes of a part of its picture, before a marker."""
    data = encoded(PICTURE, "JPEG", **options)
    end = data.rindex(marker)
    return data[: end - 64] + data[end:]


def zeros_inside():
    """Return a JPEG of which a part in the middle was never fetched."""
    data = encoded(Image.fromarray(PICTURE).resize((240, 160)), "JPEG")
    return data[:4096] + bytes(512) + data[4608:]


def broken_exif():
    data, exif = encoded(PICTURE, "JPEG"), b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]


def hot(values, n=1):
    """Return values of which the first are as large as can be."""
    values = values.copy()
    values[0, :n] = 65535
    return values


def transparent(alpha):
    return encoded(np.dstack([PICTURE, np.full((40, 60), alpha, np.uint8)]), "PNG")


def masked():
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[0, 0] = 0
    return encoded(np.dstack([np.full((40, 60, 3), 7, np.uint8), alpha]), "PNG")


def palette():
    image = Image.fromarray(np.where(RAMP > 99, 1, 0).astype(np.uint8), "P")
    image.putpalette([9, 8, 7, 200, 100, 50])
    return encoded(image, "PNG", transparency=0)


def cut_pixels(interlace):
    passes = ADAM7 if interlace else [(0, 0, 1, 1)]
    rows = [row for y, x, dy, dx in passes for row in PICTURE[y::dy, x::dx]]
    raw = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 0)
    return png((60, 40, 8, 2, interlace), raw[: len(raw) // 2])


def frames(kind):
    first, second = Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)
    return encoded(first, kind, save_all=True, append_images=[second])


CUT = (
    "{folder}/a.jpg is a JPEG that was cut or damaged, so that a part of the picture is missing; "
    "fetch it again, or remove it"
)
TWELVE = (
    "{folder}/a.tif has 16 bits per channel, but its values use less than a quarter of their "
    "range: fewer bits seem to be stored in 16, which would be nearly black; save it as 8-bit PNG "
    "with the brightness that was shown"
)
ORIENTED = (
    "{folder}/a.jpg has the EXIF orientation 6: viewers turn or mirror it, and the file does not "
    "say whether the fixations mean the stored or the upright picture; set exif: apply (upright) "
    "or exif: ignore (as stored)"
)
FRAMES = "{folder}/a.png holds 2 pages or frames; save the one that was shown as a file of its own"
WHOLE = RAMP.astype("<u2") * 257
RGB16 = b"".join(b"\0" + row.astype(">u2").tobytes() for row in PICTURE * np.uint16(257))
HOLE12 = np.full((40, 60, 4), 4080, ">u2")
HOLE12[..., 3] = 65535
HOLE12[0, 0, 3] = 0
HOLE12 = b"".join(b"\0" + row.tobytes() for row in HOLE12)
RGB12 = b"".join(b"\0" + row.astype(">u2").tobytes() for row in PICTURE * np.uint16(16))
GREY_ROWS = zlib.compress(b"".join(b"\0" + row.tobytes() for row in RAMP))
NO_COLOUR = (
    "{folder}/a.png has a palette of %d colours, but a pixel of colour 255 (they count from 0): it "
    "is damaged; get it anew"
)
TRUNCATED = "{folder}/a.png cannot be read as an image (image file is truncated"

CASES = [
    Case("EXIF orientation 6, in a data set", shown(turned("JPEG"), "a.jpg"), says=ORIENTED),
    Case(
        "EXIF orientation 6, exif: apply",
        shown(turned("JPEG"), "a.jpg", "apply"),
        gives="40 x 60 px, first pixel (248, 248, 248), last (6, 6, 6); "
        "turned upright, as its EXIF orientation says",
    ),
    Case(
        "EXIF orientation 6, exif: ignore",
        shown(turned("JPEG"), "a.jpg", "ignore"),
        gives="60 x 40 px, first pixel (0, 0, 0), last (254, 254, 254); "
        "its EXIF orientation is ignored",
    ),
    Case(
        "EXIF orientation 8 in a TIFF, exif: apply",
        shown(turned("TIFF", 8), "a.tif", "apply"),
        gives="40 x 60 px, first pixel (6, 6, 6), last (248, 248, 248); "
        "turned upright, as its EXIF orientation says",
    ),
    Case(
        "EXIF orientation 8 in a TIFF, exif: ignore",
        shown(turned("TIFF", 8), "a.tif", "ignore"),
        gives="60 x 40 px, first pixel (0, 0, 0), last (255, 255, 255); "
        "its EXIF orientation is ignored",
    ),
    Case(
        "EXIF orientation 3 in a PNG, exif: apply",
        shown(turned("PNG", 3), exif="apply"),
        gives="60 x 40 px, first pixel (255, 255, 255), last (0, 0, 0); "
        "turned upright, as its EXIF orientation says",
    ),
    Case(
        "EXIF orientation 1",
        shown(turned("JPEG", 1), "a.jpg"),
        gives="60 x 40 px, first pixel (0, 0, 0), last (254, 254, 254)",
    ),
    Case(
        "EXIF orientation 0, which means nothing",
        shown(turned("JPEG", 0), "a.jpg"),
        gives="60 x 40 px, first pixel (0, 0, 0), last (254, 254, 254)",
    ),
    Case(
        "a 16-bit WhiteIsZero TIFF from white to black",
        shown(tiff(WHOLE.tobytes(), 16, white_is_zero=True), "a.tif"),
        gives="60 x 40 px, first pixel (255, 255, 255), last (0, 0, 0)",
    ),
    Case(
        "a 16-bit TIFF from black to white",
        shown(tiff(WHOLE.tobytes(), 16), "a.tif"),
        gives="60 x 40 px, first pixel (0, 0, 0), last (255, 255, 255)",
    ),
    Case(
        "an 8-bit WhiteIsZero TIFF",
        shown(tiff(RAMP.tobytes(), 8, white_is_zero=True), "a.tif"),
        gives="60 x 40 px, first pixel (255, 255, 255), last (0, 0, 0)",
    ),
    Case(
        "12 bits in a 16-bit TIFF",
        shown(tiff((WHOLE >> 4).tobytes(), 16), "a.tif"),
        says=TWELVE,
    ),
    Case(
        "12 bits in a 16-bit TIFF with a hot pixel",
        shown(tiff(hot(WHOLE >> 4).tobytes(), 16), "a.tif"),
        says=TWELVE,
    ),
    Case(
        "12 bits in a 16-bit RGB PNG with a hot pixel",
        shown(png((60, 40, 16, 2, 0), zlib.compress(RGB12[:1] + b"\xff" * 6 + RGB12[7:])), "a.tif"),
        says=TWELVE,
    ),
    Case(
        "a dark 16-bit TIFF with a light in it",
        shown(tiff(hot(WHOLE >> 4, 40).tobytes(), 16), "a.tif"),
        gives="60 x 40 px, first pixel (255, 255, 255), last (16, 16, 16)",
    ),
    Case(
        "14 bits in a 16-bit WhiteIsZero TIFF",
        shown(tiff((WHOLE >> 2).tobytes(), 16, white_is_zero=True), "a.tif"),
        says=TWELVE,
    ),
    Case(
        "12 bits in a 16-bit TIFF that states its MaxSampleValue",
        shown(tiff((WHOLE >> 4).tobytes(), 16, more=[(281, 4095)]), "a.tif"),
        gives="60 x 40 px, first pixel (0, 0, 0), last (255, 255, 255); "
        "its grey values are scaled from 0..4095, as its tags say",
    ),
    Case(
        "a TIFF of 12 bits",
        shown(tiff(b"\x80\x08\x00" * 1199 + b"\xff\xff\xff", 12), "a.tif"),
        gives="60 x 40 px, first pixel (128, 128, 128), last (255, 255, 255); "
        "its grey values are scaled from 0..4095, as its tags say",
    ),
    Case(
        "a big-endian 16-bit TIFF",
        shown(encoded(RAMP.astype(">u2") * 257, "TIFF"), "a.tif"),
        gives="60 x 40 px, first pixel (0, 0, 0), last (255, 255, 255)",
    ),
    Case(
        "a 16-bit RGB PNG",
        shown(png((60, 40, 16, 2, 0), zlib.compress(RGB16))),
        gives="60 x 40 px, first pixel (95, 130, 194), last (241, 18, 197)",
    ),
    Case(
        "12 bits in a 16-bit RGB PNG",
        shown(png((60, 40, 16, 2, 0), zlib.compress(RGB12)), "a.tif"),
        says=TWELVE,
    ),
    Case(
        "12 bits in a 16-bit PNG with a transparent hole",
        shown(png((60, 40, 16, 6, 0), zlib.compress(HOLE12)), "a.tif"),
        says=TWELVE,
    ),
    Case(
        "a TIFF of floats",
        shown(encoded(Image.fromarray(RAMP.astype(np.float32)), "TIFF"), "a.tif"),
        says="{folder}/a.tif has 32 bits per channel (mode F); " + REMEDY,
    ),
    Case(
        "a JPEG cut in half",
        shown(encoded(PICTURE, "JPEG")[:2000], "a.jpg"),
        says="{folder}/a.jpg cannot be read as an image (image file is truncated (73 bytes not "
        "processed)); " + REMEDY,
    ),
    Case(
        "a JPEG cut in half, but closed by an end marker",
        shown(closed(encoded(PICTURE, "JPEG")), "a.jpg"),
        says=CUT,
    ),
    Case(
        "a JPEG with restart markers, cut and closed",
        shown(closed(encoded(PICTURE, "JPEG", restart_marker_blocks=1)), "a.jpg"),
        says=CUT,
    ),
    Case("a JPEG cut at a restart marker and closed", shown(cut_at_a_restart(), "a.jpg"), says=CUT),
    Case(
        "a grey JPEG, cut and closed",
        shown(closed(encoded(PICTURE[..., 0], "JPEG")), "a.jpg"),
        says=CUT,
    ),
    Case(
        "a progressive JPEG, cut and closed",
        shown(closed(encoded(PICTURE, "JPEG", progressive=True)), "a.jpg"),
        says=CUT,
    ),
    Case(
        "a progressive JPEG with the first three scans alone",
        shown(half_of_the_scans(), "a.jpg"),
        says=CUT,
    ),
    Case(
        "a progressive JPEG that lacks 64 bytes inside",
        shown(hollow(b"\xff\xc4", progressive=True), "a.jpg"),
        says=CUT,
    ),
    Case(
        "a JPEG with restart markers that lacks 64 bytes inside",
        shown(hollow(b"\xff\xd3", restart_marker_blocks=2), "a.jpg"),
        says=CUT,
    ),
    Case(
        "a whole JPEG with restart markers",
        shown(encoded(PICTURE, "JPEG", restart_marker_blocks=2), "a.jpg"),
        gives="60 x 40 px, first pixel (153, 118, 160), last (136, 86, 113)",
    ),
    Case(
        "a whole progressive JPEG with restart markers",
        shown(encoded(PICTURE, "JPEG", progressive=True, restart_marker_blocks=2), "a.jpg"),
        gives="60 x 40 px, first pixel (153, 118, 160), last (136, 86, 113)",
    ),
    Case(
        "a whole JPEG that ends in the grey that decoders fill with",
        shown(encoded(np.full((40, 60, 3), 128, np.uint8), "JPEG"), "a.jpg"),
        gives="60 x 40 px, first pixel (128, 128, 128), last (128, 128, 128)",
    ),
    Case(
        "a CMYK JPEG in the inverted form of Adobe",
        shown(encoded(Image.new("CMYK", (60, 40), (255, 0, 0, 0)), "JPEG", quality=100), "a.jpg"),
        gives="60 x 40 px, first pixel (0, 255, 255), last (0, 255, 255); "
        "CMYK is converted without a colour profile",
    ),
    Case(
        "a colour hidden under alpha 0",
        shown(masked()),
        gives="60 x 40 px, first pixel (255, 255, 255), last (7, 7, 7); "
        "transparent pixels are shown on white",
    ),
    Case(
        "alpha of 50 % all over",
        shown(encoded(np.full((40, 60, 4), 127, np.uint8), "PNG")),
        gives="60 x 40 px, first pixel (191, 191, 191), last (191, 191, 191); "
        "transparent pixels are shown on white",
    ),
    Case(
        "alpha 255 all over",
        shown(transparent(255)),
        gives="60 x 40 px, first pixel (95, 130, 194), last (241, 18, 197)",
    ),
    Case(
        "alpha 0 all over",
        shown(transparent(0)),
        says="{folder}/a.png is transparent all over; save it without transparency",
    ),
    Case(
        "a palette with a transparent entry",
        shown(palette()),
        gives="60 x 40 px, first pixel (255, 255, 255), last (200, 100, 50); "
        "transparent pixels are shown on white",
    ),
    Case(
        "grey with alpha (LA)",
        shown(encoded(Image.merge("LA", [Image.fromarray(RAMP)] * 2), "PNG")),
        gives="60 x 40 px, first pixel (255, 255, 255), last (255, 255, 255); "
        "transparent pixels are shown on white",
    ),
    Case(
        "16-bit grey with a transparent key",
        shown(
            png(
                (60, 40, 16, 0, 0),
                zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in WHOLE)),
                chunk(b"tRNS", b"\0\0"),
            )
        ),
        gives="60 x 40 px, first pixel (255, 255, 255), last (255, 255, 255); "
        "transparent pixels are shown on white",
    ),
    Case(
        "one bit per pixel",
        shown(encoded(Image.fromarray(RAMP > 99), "PNG")),
        gives="60 x 40 px, first pixel (0, 0, 0), last (255, 255, 255)",
    ),
    Case(
        "a colour profile other than sRGB",
        shown(encoded(PICTURE, "PNG", icc_profile=b"Display P3")),
        gives="60 x 40 px, first pixel (95, 130, 194), last (241, 18, 197); "
        "its colour profile is not applied",
    ),
    Case(
        "a photograph of 1 x 1 px",
        shown(encoded(PICTURE[:1, :1], "PNG")),
        gives="1 x 1 px, first pixel (95, 130, 194), last (95, 130, 194)",
    ),
    Case("an animated PNG", shown(frames("PNG")), says=FRAMES),
    Case("an animated GIF called PNG", shown(frames("GIF")), says=FRAMES),
    Case("a TIFF of two pages", shown(frames("TIFF")), says=FRAMES),
    Case(
        "a JPEG called PNG",
        shown(encoded(np.full((40, 60, 3), 99, np.uint8), "JPEG")),
        gives="60 x 40 px, first pixel (99, 99, 99), last (99, 99, 99)",
    ),
    Case(
        "a PostScript program called PNG",
        shown(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 40\nshowpage\n"),
        says="{folder}/a.png cannot be read as an image (it is damaged, or no JPEG, PNG, TIFF, "
        "BMP, GIF or WebP); " + REMEDY,
    ),
    Case(
        "a PNG with a flipped bit in a checksum",
        shown(flipped(encoded(PICTURE, "PNG"), -13)),
        says="{folder}/a.png cannot be read as an image (broken PNG file (bad header checksum in "
        "b'IDAT')); " + REMEDY,
    ),
    Case(
        "a PNG with half of its pixels, closed by its end chunk",
        shown(cut_pixels(0)),
        says=TRUNCATED + " (0 bytes not processed)); " + REMEDY,
    ),
    Case(
        "an interlaced PNG with half of its pixels",
        shown(cut_pixels(1)),
        says=TRUNCATED + " (0 bytes not processed)); " + REMEDY,
    ),
    Case(
        "a PNG without its end chunk",
        shown(encoded(PICTURE, "PNG")[:-12]),
        says="{folder}/a.png cannot be read as an image (truncated PNG file); " + REMEDY,
    ),
    Case(
        "a PNG of no width",
        shown(png((0, 40, 8, 2, 0), zlib.compress(b""))),
        says="{folder}/a.png cannot be read as an image (it is damaged, or no JPEG, PNG, TIFF, "
        "BMP, GIF or WebP); " + REMEDY,
    ),
    Case(
        "a decompression bomb: a PNG of 60000 x 60000 px in 1 kB",
        shown(png((60000, 60000, 8, 2, 0), zlib.compress(bytes(9999)))),
        says="{folder}/a.png cannot be read as an image (Image size (3600000000 pixels) exceeds "
        "limit of 178956970 pixels, could be decompression bomb DOS attack.); " + REMEDY,
    ),
    Case(
        "an empty file",
        shown(b""),
        says="{folder}/a.png cannot be read as an image (it is damaged, or no JPEG, PNG, TIFF, "
        "BMP, GIF or WebP); " + REMEDY,
    ),
    Case(
        "a JPEG with zeros inside, as of a download in parts",
        shown(zeros_inside(), "a.jpg"),
        says=CUT,
    ),
    Case(
        "a flat JPEG, whose own tables make zeros of it",
        shown(encoded(Image.new("RGB", (2000, 2000), "white"), "JPEG", optimize=True), "a.jpg"),
        gives="2000 x 2000 px, first pixel (255, 255, 255), last (255, 255, 255)",
    ),
    Case(
        "a flat progressive JPEG",
        shown(encoded(Image.new("RGB", (2000, 2000), "white"), "JPEG", progressive=True), "a.jpg"),
        gives="2000 x 2000 px, first pixel (255, 255, 255), last (255, 255, 255)",
    ),
    Case(
        "a TIFF of signed 8-bit values",
        shown(tiff(RAMP.tobytes(), 8, more=[(339, 2)]), "a.tif"),
        says="{folder}/a.tif has signed values; " + REMEDY,
    ),
    Case(
        "a palette PNG without its palette",
        shown(png((60, 40, 8, 3, 0), GREY_ROWS)),
        says=NO_COLOUR % 0,
    ),
    Case(
        "a palette PNG whose palette is too short",
        shown(png((60, 40, 8, 3, 0), GREY_ROWS, chunk(b"PLTE", bytes(30)))),
        says=NO_COLOUR % 10,
    ),
    Case(
        "EXIF data that break off",
        shown(broken_exif(), "a.jpg"),
        gives="60 x 40 px, first pixel (153, 118, 160), last (136, 86, 113); a part of its EXIF "
        "data is damaged and not used",
    ),
]
