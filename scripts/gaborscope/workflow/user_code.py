"""
Digest of the Python code that a user's factory brings in: an edit reruns what depends on it.

Standard library only: the workflow imports this module whenever it is parsed. What files import is
kept with the imports of the library, see `digests.kept`.
"""

import ast
import functools
import hashlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from gaborscope.workflow import digests

# Endings of files that Python imports.
ENDINGS = (".py", *importlib.machinery.EXTENSION_SUFFIXES)


def digest(start: Path | str, roots: Sequence[str | Path]) -> str:
    """
    Digest of a user's Python code with all that it brings in from outside installed packages.

    Imports are followed as they are written, absolute, relative or by `importlib.import_module`
    with a text, in the roots and in the folders that a file adds to `sys.path` by texts. Nothing is
    imported. Installed packages count by their version; modules that are found nowhere do not.

    Parameters
    ----------
    start : Path or str
        A file, or the dotted name of a module.
    roots : sequence of str or Path
        Folders that are searched beside that of the file, in this order.

    Returns
    -------
    digest : str
        16 hexadecimal digits; of names and content, not of places. "" where nothing is found.
    """
    found, packages = files(start, roots)
    if not found and not packages:
        return ""
    total = hashlib.sha256()
    for path in found:
        total.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    for name in sorted(packages):
        total.update(f"{name} {_installed_version(name)}".encode())
    return total.hexdigest()[:16]


def files(start: Path | str, roots: Sequence[str | Path]) -> tuple[list[Path], frozenset[str]]:
    """
    Files that a user's Python code brings in, see `digest`.

    Parameters
    ----------
    start : Path or str
    roots : sequence of str or Path

    Returns
    -------
    files : list of Path
        In the order in which they are met, that of `start` first.
    packages : frozenset of str
        Other modules that they import, by the first part of the name, without the standard library.
    """
    given = [Path(root).resolve() for root in roots]
    # a folder that packages are installed in is none of the user's
    given = [root for root in given if next(root.glob("*.dist-info"), None) is None]
    if isinstance(start, str):
        waiting = _located(start, given) or _outside(start)
        packages = {start.partition(".")[0]} - {path.stem for path in waiting}
    else:
        waiting, packages = [start.resolve()], set()
    waiting = [path for path in waiting if path.is_file()]
    near = [path.parent for path in waiting[-1:]]
    while near and (near[-1] / "__init__.py").is_file():
        near.append(near[-1].parent)  # a package's modules name it as a whole
    folders = dict.fromkeys([*near, *given])
    found: dict[Path, None] = {}
    unknown: set[str] = set()
    locate, holds = functools.cache(_located), functools.cache(_is_folder)
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        found[path] = None
        if path.suffix != ".py":
            continue
        imports, added = _user_imports(path)
        new = [folder.resolve() for folder in _added_folders(path, added, list(folders))]
        if new := [folder for folder in new if folder not in folders]:
            folders.update(dict.fromkeys(new))
            waiting += [file for name in sorted(unknown) for file in _located(name, folders)]
        for level, module, names in imports:
            above = tuple(path.parents[level - 1 : level] if level else folders)
            met = list(locate(module, above)) if module else []
            met += [folder / "__init__.py" for folder in path.parents[:level]]
            below = []
            if not module or holds(module, above):
                below = [f"{module}.{name}" if module else name for name in names]
            met += [file for name in below for file in locate(name, above)]
            if not met and not level:
                met = _outside(module)
                unknown.update([module, *(f"{module}.{name}" for name in names)])
                packages.add(module.partition(".")[0])
            waiting += [file for file in met if file.is_file()]
    own = {part for path in found for part in (path.stem, path.parent.name)}
    present = {name for name in packages - own if _installed_version(name) != "absent"}
    return list(found), frozenset(present - sys.stdlib_module_names)


def _user_imports(path):
    """Return imports of a user's file as [level, module, names], and texts that extend the path."""
    content = path.read_bytes()
    sha256 = f"user {hashlib.sha256(content).hexdigest()}"
    return digests.kept(sha256, lambda: _parsed(content))


def _parsed(content):
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # the import itself will say it
        return [[], []]
    imports, added, assigned = [], [], {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [[0, alias.name, []] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names if alias.name != "*"]
            imports.append([node.level, node.module or "", names])
        elif isinstance(node, ast.Assign):
            assigned.update((_name(target), node.value) for target in node.targets)
        elif isinstance(node, ast.Call) and node.args:
            called, first = _name(node.func), node.args[0]
            if called.rpartition(".")[2] in ("import_module", "__import__"):
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    name = first.value.lstrip(".")
                    imports.append([len(first.value) - len(name), name, []])
            elif called in ("sys.path.insert", "sys.path.append", "sys.path.extend"):
                added.append(node.args[-1])
    return [imports, [_texts(node, assigned) for node in added]]


def _name(node):
    """Return a dotted name as it is written, "" for any other expression."""
    if isinstance(node, ast.Attribute):
        before = _name(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def _texts(node, assigned, deepest=5):
    """Texts of an expression, in order, those of the names in it included."""
    found = []
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            found.append([part.lineno, part.col_offset, part.value])
        elif isinstance(part, ast.Name | ast.Attribute) and deepest:
            value = assigned.get(_name(part))
            if value is not None:
                below = _texts(value, assigned, deepest - 1)
                found += [[part.lineno, part.col_offset, text] for text in below]
    return [text for _, _, text in sorted(found, key=lambda one: one[:2])]


def _added_folders(path, added, bases):
    """Folders that texts in the calls of `sys.path.append` may mean, as far as they are there."""
    for texts in added:
        yield from path.parents[:3]  # what is computed of __file__ without a text
        for text in dict.fromkeys([*texts, "/".join(texts)]):
            for base in dict.fromkeys([*path.parents[:3], *bases]):
                folder = base / Path(text).expanduser()
                if text.strip("./") and folder.is_dir():
                    yield folder


def _located(module, folders):
    """Files of a module and of the packages around it, in the first folder that has them."""
    parts = module.split(".")
    for folder in folders:
        files, here = [], Path(folder)
        for part in parts[:-1]:
            here = here / part
            files.append(here / "__init__.py")
        last = here / parts[-1]
        ends = [last / "__init__.py", *(Path(f"{last}{ending}") for ending in ENDINGS)]
        own = next((file for file in ends if file.is_file()), None)
        if own is not None:
            return [*(file for file in files if file.is_file()), own]
    return []


def _is_folder(module, folders):
    return any(Path(folder, *module.split(".")).is_dir() for folder in folders)


def _outside(module):
    """Files of a module that is installed in place, from a checkout (pip install -e)."""
    name = module.partition(".")[0]
    if name in sys.stdlib_module_names or name == digests.PACKAGE.name:
        return []
    root = _in_place(name)
    return [] if root is None else _located(module, [root])


@functools.cache
def _in_place(name):
    """Folder that an importable module lies in, unless it is one of installed packages."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.origin or not spec.has_location:
        return None
    folder = Path(spec.origin).parent
    folder = folder.parent if spec.submodule_search_locations is not None else folder
    installed = {"site-packages", "dist-packages", "lib-dynload"}.intersection(folder.parts)
    return None if installed else folder


@functools.cache
def _installed_version(name):
    """Version of what is imported by a name; of a package called otherwise, its outer files."""
    known = digests.version(name)
    if known != "absent":
        return known
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return known
    if spec is None or not spec.has_location:
        return known
    origin = Path(str(spec.origin))
    # to look the package up by the name of its module takes seconds
    files = sorted(origin.parent.glob("*.py")) if spec.submodule_search_locations else [origin]
    return " ".join(hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files)
