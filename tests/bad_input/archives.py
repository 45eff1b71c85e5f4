"""Zip files of data sets that are damaged, or made to do harm."""

import io
import stat
import zipfile

from bad_input.case import Case

from gaborscope.data import unpacking

FAMILY = "Archives"


def archive(entries, method=zipfile.ZIP_DEFLATED):
    """Bytes of a zip file of (name or ZipInfo, content)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in entries:
            made.writestr(name, content)
    return file.getvalue()


def unpack(data, before=()):
    """Return a use that unpacks a.zip into a folder and says what lies there."""

    def use(folder):
        (folder / "a.zip").write_bytes(data)
        for name in before:
            (folder / "out" / name).mkdir(parents=True)
        try:
            unpacking.unpack(folder / "a.zip", folder / "out")
        finally:
            files = sorted(
                p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()
            )
            if set(files) - {"a.zip", "out/S/x.jpg", "out/S/X.jpg"}:
                raise AssertionError(files)
        return ", ".join(files)

    return use


def renamed(old, new):
    """Return an archive whose name was changed in its bytes, as no program writes it."""
    return archive([("S/x.jpg", b"x"), (old, b"y")]).replace(old.encode(), new)


def link():
    entry = zipfile.ZipInfo("S/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return archive([("S/x.jpg", b"x"), (entry, "/etc/passwd")])


def changed(data, **fields):
    """Return the archive with other numbers in its last header: flags, method or size."""
    at = data.rindex(b"PK\1\2")
    places = {"flags": (8, 2), "method": (10, 2), "size": (24, 4)}
    for field, value in fields.items():
        start, length = places[field]
        start += at
        data = data[:start] + value.to_bytes(length, "little") + data[start + length :]
    return data


ONE = archive([("S/x.jpg", b"x" * 999)])
BAD = "{folder}/a.zip is not a complete zip file "
AGAIN = "; remove it and run again"
TRUST = "the archive is not to be trusted, and nothing was unpacked"


def outside(name):
    return (
        f"{{folder}}/a.zip has the entry {name!r}, which would lie outside of its folder; {TRUST}"
    )


CASES = [
    Case("a whole archive", unpack(ONE), gives="a.zip, out/S/x.jpg"),
    Case("cut in half", unpack(ONE[: len(ONE) // 2]), says=f"{BAD}(File is not a zip file){AGAIN}"),
    Case("a path with ..", unpack(archive([("../x", b"x")])), says=outside("../x")),
    Case("an absolute path", unpack(archive([("/tmp/x", b"x")])), says=outside("/tmp/x")),
    Case("a path of Windows", unpack(archive([("..\\x", b"x")])), says=outside("..\\x")),
    Case(
        "a link",
        unpack(link()),
        says=f"{{folder}}/a.zip has the entry 'S/link', a link; {TRUST}",
    ),
    Case(
        "two entries of one name",
        unpack(renamed("S/y.jpg", b"S/x.jpg")),
        says=f"{BAD}(it has two entries 'S/x.jpg'){AGAIN}",
    ),
    Case(
        "names that differ in case alone, where the disk tells them apart",
        unpack(archive([("S/x.jpg", b"x"), ("S/X.jpg", b"y")])),
        gives="a.zip, out/S/X.jpg, out/S/x.jpg",
    ),
    Case(
        "an encrypted archive",
        unpack(changed(ONE, flags=1)),
        says=f"{BAD}(File <ZipInfo filename='S/x.jpg' compress_type=deflate "
        "filemode='?rw-------' file_size=999 compress_size=11> is encrypted, password required for "
        f"extraction){AGAIN}",
    ),
    Case(
        "an unknown compression",
        unpack(changed(ONE, method=77)),
        says=f"{BAD}(That compression method is not supported){AGAIN}",
    ),
    Case(
        "a name of 300 characters",
        unpack(archive([("x" * 300, b"x")])),
        says=f"{BAD}(File name too long){AGAIN}",
    ),
    Case(
        "a name with a zero character",
        unpack(renamed("S/y.jpg", b"S/\0.jpg")),
        says=outside("S/\0.jpg"),
    ),
    Case(
        "folders 900 deep",
        unpack(archive([("a/" * 900 + "x", b"x")])),
        says=f"{BAD}(it has folders more than 50 deep){AGAIN}",
    ),
    Case(
        "a file and a folder of one name",
        unpack(archive([("S", b"x"), ("S/x.jpg", b"x")])),
        says=f"{BAD}(File exists){AGAIN}",
    ),
    Case(
        "an entry that is said to hold 4 GB",
        unpack(changed(ONE, size=2**32 - 2)),
        says=f"{BAD}(it would unpack to 4 GB){AGAIN}",
    ),
    Case(
        "an entry longer than it says",
        unpack(changed(ONE, size=9)),
        says=f"{BAD}(Bad CRC-32 for file 'S/x.jpg'){AGAIN}",
    ),
    Case(
        "a folder in the place of a file",
        unpack(ONE, ["S/x.jpg"]),
        says="{folder}/a.zip cannot be unpacked into {folder}/out (Is a directory); move what is "
        "in its way",
    ),
]
