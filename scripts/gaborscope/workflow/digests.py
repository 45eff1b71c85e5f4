"""
Digests of stage scripts and library modules: an edit reruns the rules that use it, and no others.

Another version of an imported package reruns these rules as well. Standard library only: the
workflow imports this module whenever it is parsed. Every file is read and parsed once per process.
"""

import ast
import contextlib
import functools
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parents[1]
# By module, the files it reads that are not Python files, relative to the package.
READ = {
    "report.page": ("report/templates/report.html",),
    "report.model_card": ("report/templates/model_card.md",),
}
# By import name, the name of the package in the package index, if it is another one.
DISTRIBUTED_AS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "jinja2": "Jinja2",
    "pyfftw": "pyFFTW",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
# Packages that cannot change results: progress bars, processes, threads, reading of the config.
WITHOUT_EFFECT = {"jsonschema", "psutil", "threadpoolctl", "tqdm", "yaml"}


class Source(NamedTuple):
    """Imports of one Python file, and the digest of its content."""

    modules: frozenset[str]  # modules of Gaborscope, dotted names below the package
    packages: frozenset[str]  # other packages and the standard library, by import name
    sha256: str


def read(path: str | Path) -> Source:
    """
    Read all imports of a Python file, also those inside functions.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    source : Source
        Read once per process.

    Raises
    ------
    ValueError
        If the file has a relative import: digests follow absolute ones alone, so an edit behind
        it would rerun nothing.
    """
    return _read(str(path), str(PACKAGE))


@functools.cache
def _read(path, package):
    content = Path(path).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 not in _statements:
        _statements[sha256] = _import_statements(content, path)
    _in_use.add(sha256)
    modules, packages, prefix = set(), set(), f"{PACKAGE.name}."
    for module, names in _statements[sha256]:
        packages.add(module.partition(".")[0])
        if module.startswith(prefix):
            modules.add(module.removeprefix(prefix))
        if f"{module}.".startswith(prefix):
            below = (f"{module}.{name}".removeprefix(prefix) for name in names)
            modules.update(filter(_is_module, below))  # not functions, not __version__
    return Source(frozenset(modules), frozenset(packages), sha256)


def _import_statements(content, path):
    """Return the imports anywhere in a file as [module, names]; no names of a plain import."""
    statements = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            statements += [[alias.name, []] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ValueError(
                    f"{path}, line {node.lineno}: a relative import, which digests do not follow; "
                    f"write it as from {PACKAGE.name}. ..."
                )
            statements.append([node.module, [alias.name for alias in node.names]])
    return statements


# Import statements by the SHA-256 of the file that has them: parsing takes most of a digest's time.
_statements: dict[str, list] = {}
# Of them, those of files that this process has read.
_in_use: set[str] = set()


def load_imports(path: str | Path) -> None:
    """
    Take over the import statements that `save_imports` wrote, so that no file is parsed again.

    Parameters
    ----------
    path : str or Path
        A file that is missing or damaged counts as empty.
    """
    with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
        kept = json.loads(Path(path).read_text(encoding="utf-8"))
        if kept["check"] == _check(kept["statements"]):
            _statements.update(kept["statements"])


def _check(statements):
    return hashlib.sha256(json.dumps(statements).encode()).hexdigest()


def save_imports(path: str | Path) -> None:
    """
    Write the import statements of all files that this process has read.

    Parameters
    ----------
    path : str or Path
        Its folder is made. A folder that cannot be written to is no fault: then files are parsed
        again the next time.
    """
    statements = {sha256: _statements[sha256] for sha256 in sorted(_in_use)}
    text = json.dumps({"check": _check(statements), "statements": statements})
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


def imported(source: str | Path) -> frozenset[str]:
    """
    Modules of Gaborscope that a source file imports.

    Parameters
    ----------
    source : str or Path
        Python file.

    Returns
    -------
    modules : frozenset of str
        Dotted names below the package, such as "backbones.cmrnet".
    """
    return read(source).modules


@functools.cache
def _is_module(name):
    base = PACKAGE.joinpath(*name.split("."))
    return base.with_suffix(".py").exists() or (base / "__init__.py").exists()


@functools.cache
def module_file(module: str) -> Path:
    """
    File of a module of the package.

    Parameters
    ----------
    module : str
        Dotted name below the package.

    Returns
    -------
    path : Path

    Raises
    ------
    FileNotFoundError
        If there is no such module.
    """
    base = PACKAGE.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    raise FileNotFoundError(f"the library has no module {module!r}")


@functools.cache
def closure(*modules: str) -> tuple[str, ...]:
    """
    Modules and all modules of the package that they import, directly or indirectly.

    Parameters
    ----------
    *modules : str

    Returns
    -------
    names : tuple of str, sorted
    """
    seen, waiting = set(), list(modules)
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        waiting.extend(imported(module_file(module)))
        if "." in module:
            waiting.append(module.rpartition(".")[0])  # its package is run as well
    return tuple(sorted(seen))


@functools.cache
def packages(*modules: str) -> tuple[str, ...]:
    """
    Return the packages that modules, and all modules they import, use; by import name.

    Parameters
    ----------
    *modules : str

    Returns
    -------
    names : tuple of str, sorted
        Without the standard library, and without packages that cannot change results.
    """
    names = set()
    for module in closure(*modules):
        names |= read(module_file(module)).packages
    return tuple(sorted(names - sys.stdlib_module_names - WITHOUT_EFFECT - {PACKAGE.name}))


@functools.cache
def version(package: str) -> str:
    """Return the version of a package by its import name; 'absent' where it is not installed."""
    try:
        return metadata.version(DISTRIBUTED_AS.get(package, package))
    except metadata.PackageNotFoundError:
        return "absent"


@functools.cache
def digest(*modules: str) -> str:
    """
    Digest of modules, all modules they import, the files these read, and package versions.

    Parameters
    ----------
    *modules : str

    Returns
    -------
    digest : str
        16 hexadecimal digits.
    """
    total = hashlib.sha256()
    for module in closure(*modules):
        total.update(f"{module} {read(module_file(module)).sha256}".encode())
        for name in READ.get(module, ()):
            total.update(file_digest(name).encode())
    for package in packages(*modules):
        total.update(f"{package} {version(package)}".encode())
    return total.hexdigest()[:16]


def script_digest(path: str | Path) -> str:
    """
    Digest of a stage script with all that it imports, see `digest`.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    digest : str
        16 hexadecimal digits; by content alone, so the same in every checkout.
    """
    source = read(path)
    total = f"{source.sha256} {digest(*sorted(source.modules))}"
    return hashlib.sha256(total.encode()).hexdigest()[:16]


def file_digest(name: str) -> str:
    """
    Digest of a file of the package that is no module, such as a template.

    Parameters
    ----------
    name : str
        Path below the package.

    Returns
    -------
    digest : str
        16 hexadecimal digits.
    """
    return hashlib.sha256(PACKAGE.joinpath(name).read_bytes()).hexdigest()[:16]


# Endings of files that Python imports.
ENDINGS = (".py", *importlib.machinery.EXTENSION_SUFFIXES)


def user_digest(start: Path | str, roots: Sequence[str | Path]) -> str:
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
    files, packages = user_files(start, roots)
    if not files and not packages:
        return ""
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    for name in sorted(packages):
        total.update(f"{name} {_installed_version(name)}".encode())
    return total.hexdigest()[:16]


def user_files(start: Path | str, roots: Sequence[str | Path]) -> tuple[list[Path], frozenset[str]]:
    """
    Files that a user's Python code brings in, see `user_digest`.

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
    if sha256 not in _statements:
        try:
            _statements[sha256] = _parsed(ast.parse(content))
        except (SyntaxError, ValueError):  # the import itself will say it
            _statements[sha256] = [[], []]
    _in_use.add(sha256)
    return _statements[sha256]


def _parsed(tree):
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
    if name in sys.stdlib_module_names or name == PACKAGE.name:
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
    known = version(name)
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
