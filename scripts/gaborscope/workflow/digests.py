"""
Digests of stage scripts and library modules: an edit reruns the rules that use it, and no others.

Another version of an imported package reruns these rules as well. Standard library only: the
workflow imports this module whenever it is parsed. Every file is read and parsed once per process.
"""

import ast
import contextlib
import functools
import hashlib
import json
import os
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parents[1]
# By module, the files it reads that are not Python files, relative to the package.
READ = {
    "report.page": tuple(f"report/templates/report.{end}" for end in ("html", "css", "js")),
    "report.photograph_page": ("report/templates/photograph.html",),
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
    statements = kept(sha256, lambda: _import_statements(content, path))
    modules, packages, prefix = set(), set(), f"{PACKAGE.name}."
    for module, names in statements:
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


def kept(key: str, parse: Callable[[], list]) -> list:
    """
    Return the import statements of a file, parsed unless they are kept already.

    Parameters
    ----------
    key : str
        Of the content of the file.
    parse : callable
        Returns the statements, which JSON can hold.

    Returns
    -------
    statements : list
    """
    if key not in _statements:
        _statements[key] = parse()
    _in_use.add(key)
    return _statements[key]


def load_imports(path: str | Path) -> None:
    """
    Take over the import statements that `save_imports` wrote, so that no file is parsed again.

    Parameters
    ----------
    path : str or Path
        A file that is missing or damaged counts as empty.
    """
    with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["check"] == _check(content["statements"]):
            _statements.update(content["statements"])


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
