"""
Digests of library modules, so that an edited module reruns the rules that use it, and no others.

Standard library only: the workflow imports it whenever it is parsed.
"""

import ast
import functools
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# Files besides Python ones that a module reads, relative to the package.
READ = {"page": ("templates/report.html",)}


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
def digest(*modules):
    """
    Digest of the source of modules, of all that they import from the package, and what these read.

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
