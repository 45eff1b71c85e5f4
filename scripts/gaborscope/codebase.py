"""
Digests of library modules, so that an edited module reruns the rules that use it, and no others.

So does another version of a package that they import. Standard library only: the workflow imports
it whenever it is parsed.
"""

import ast
import functools
import hashlib
import sys
from importlib import metadata
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# Files besides Python ones that a module reads, relative to the package.
READ = {"page": ("templates/report.html",), "releasing": ("templates/model_card.md",)}
# Packages that are distributed under another name than they are imported by.
DISTRIBUTED_AS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "jinja2": "Jinja2",
    "pyfftw": "pyFFTW",
    "yaml": "PyYAML",
}
# Packages that have no bearing on results: bars, processes, numbers of threads, the schema's check.
WITHOUT_EFFECT = {"jsonschema", "psutil", "threadpoolctl", "tqdm", "yaml"}


def imported(source, package="gaborscope"):
    """
    Modules of the package that a source file imports.

    Parameters
    ----------
    source : str or Path
        Python file.
    package : str

    Returns
    -------
    modules : frozenset of str
        Dotted names below the package, such as "backbones.cmrnet".
    """
    found = set()
    for node in ast.walk(ast.parse(Path(source).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == package:
                found.update(alias.name for alias in node.names)
            elif node.module.startswith(f"{package}."):
                module = node.module.removeprefix(f"{package}.")
                names = (f"{module}.{alias.name}" for alias in node.names)
                found.update([module, *filter(_is_module, names)])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith(f"{package}."):
                    found.add(alias.name.removeprefix(f"{package}."))
    return frozenset(found)


def _is_module(name):
    base = PACKAGE.joinpath(*name.split("."))
    return base.with_suffix(".py").exists() or (base / "__init__.py").exists()


def module_file(module):
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
def closure(*modules):
    """
    Modules with all that they import from the package, directly or not.

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
def packages(*modules):
    """
    Return the packages that modules use, with all they import, by their import names.

    Parameters
    ----------
    *modules : str

    Returns
    -------
    names : tuple of str, sorted
        Without the standard library, and without those that have no bearing on results.
    """
    found = set()
    for module in closure(*modules):
        for node in ast.walk(ast.parse(module_file(module).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return tuple(sorted(found - sys.stdlib_module_names - WITHOUT_EFFECT - {PACKAGE.name}))


@functools.cache
def version(package):
    """Return the version of a package by its import name; 'absent' where it is not installed."""
    try:
        return metadata.version(DISTRIBUTED_AS.get(package, package))
    except metadata.PackageNotFoundError:
        return "absent"


@functools.cache
def digest(*modules):
    """
    Digest of modules with all that they import, what these read, and the versions of packages.

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
        total.update(module.encode())
        total.update(module_file(module).read_bytes())
        for name in READ.get(module, ()):
            total.update((PACKAGE / name).read_bytes())
    for package in packages(*modules):
        total.update(f"{package} {version(package)}".encode())
    return total.hexdigest()[:16]


def file_digest(name):
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
