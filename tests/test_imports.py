"""Who imports whom, read from the sources; and what a start of the command line loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dltrain

PACKAGE = Path(dltrain.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "configs" not in path.parts)

# What each part may import, besides itself and everything in EVERYWHERE.  Imports for type checkers do not count.
EVERYWHERE = {"errors", "machine", "registry", "suggest", "synonyms", "types", "seeds"}
ALLOWED: dict[str, set[str]] = {
    "__init__": {"api"},
    "__main__": {"cli"},
    "cli": {
        *("__init__", "api", "config", "data", "explore", "kernels", "looking", "model", "report", "runs"),
        *("sweeps", "training"),
    },
    "api": {
        *("config", "data", "diagnose", "explore", "kernels", "layers", "looking", "metrics", "model", "optim"),
        *("runs", "sweeps", "tasks", "tracing", "training"),
    },
    "interop": {"data", "runs"},
    "sweeps": {"training", "runs", "config", "report"},
    "training": {
        *("baselines", "interop", "model", "layers", "optim", "tasks", "metrics", "data", "runs", "kernels", "config"),
    },
    "tasks": {"losses", "metrics", "kernels", "layers"},
    "model": {"layers", "kernels", "initializers"},
    "layers": {"kernels", "initializers"},
    "losses": {"kernels"},
    "metrics": {"kernels"},
    "regularizers": {"kernels"},
    "constraints": {"kernels"},
    "initializers": {"kernels"},
    "optim": {"kernels"},
    "data": {"kernels", "runs"},  # of runs: the one function that reads HDF5
    "explore": {"data", "report", "runs"},
    "diagnose": {"config", "data", "layers", "model", "optim", "report", "runs", "training"},
    "looking": {"data", "layers", "metrics", "model", "report", "runs", "training"},
    "tracing": {"layers", "model", "training"},
    "runs": set(),
    "config": {"model"},  # the notation, which knows no arrays
    "kernels": set(),
    "registry": set(),
    "report": set(),
    "baselines": set(),
    "errors": set(),
    "machine": set(),
    "suggest": set(),
    "synonyms": set(),
    "seeds": set(),
    "types": set(),
}
HEAVY = ("numpy", "numba", "pydantic", "rich", "h5py", "yaml", "sklearn", "click")
ONLY_KERNELS = {"numba", "llvmlite", "cupy"}
CORE = ("kernels", "layers", "model", "optim", "losses", "metrics", "initializers", "regularizers", "constraints")
NOT_IN_CORE = {"pydantic", "click", "rich", "h5py", "yaml", "tqdm", "filelock"}
DRAWING = {("model/summary.py", "rich")}  # draws its table where it is asked to


def part_of(path: Path) -> str:
    """The part of the house that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """All modules that a file imports, anywhere but under TYPE_CHECKING."""
    for node in walk_without_typing(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def walk_without_typing(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree outside of `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from walk_without_typing(node)


def own_parts(path: Path) -> set[str]:
    """The parts of dltrain that a file imports."""
    found = set()
    for module in imports(path):
        first, *rest = module.split(".")
        if first == "dltrain":
            known = rest and ((PACKAGE / rest[0]).is_dir() or (PACKAGE / f"{rest[0]}.py").is_file())
            found.add(rest[0] if known else "__init__")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    part = part_of(path)
    assert part in ALLOWED, f"{part} is not in the table of parts: say what it may import"
    forbidden = own_parts(path) - ALLOWED[part] - EVERYWHERE - {part}
    assert not forbidden, f"{part} may not import {forbidden}"


def test_parts_that_everyone_imports_import_nobody() -> None:
    for part in EVERYWHERE:
        own = own_parts(PACKAGE / f"{part}.py")
        # the registry imports the modules of a kind by the names in its own table, when they are first asked for
        assert own <= EVERYWHERE, part


def test_the_table_catches_a_wrong_import(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    text = "import numba\nif TYPE_CHECKING:\n    from dltrain import api\n\ndef f():\n    from dltrain.cli import fit\n"
    file.write_text(text)
    assert own_parts(file) == {"cli"}
    assert list(imports(file)) == ["numba", "dltrain.cli.fit"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_kernels_import_compilers_and_the_core_is_light(path: Path) -> None:
    outside = {module.split(".")[0] for module in imports(path)}
    if part_of(path) != "kernels":
        assert not outside & ONLY_KERNELS
    if part_of(path) in CORE:
        drawing = {module for file, module in DRAWING if path == PACKAGE / file}
        assert not (outside & NOT_IN_CORE) - drawing


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after some code."""
    script = f"import sys\n{code}\nprint(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split("\n")[-2].split())


RUN = "from dltrain.cli.main import run\nrun({arguments!r})"


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        ("import dltrain", HEAVY),
        (RUN.format(arguments=["--help"]), HEAVY),
        (RUN.format(arguments=["fit", "--help"]), HEAVY[:-1]),
        (RUN.format(arguments=["--version"]), HEAVY[:-1]),
        (RUN.format(arguments=["runs", "ls"]), ("numpy", "numba", "h5py", "sklearn")),
        ("import dltrain.kernels", ("numba",)),
        ("import dltrain.config", ("numba", "rich", "click", "sklearn")),
    ],
)
def test_light_starts(code: str, forbidden: tuple[str, ...]) -> None:
    assert not loaded_by(code) & set(forbidden)


OF_THE_FIRST_PAGE = {"dltrain", "dltrain.cli", "dltrain.cli.commands", "dltrain.cli.main"}
MOST_MODULES = 45  # of the standard library beyond a bare interpreter: `re` and `typing` bring most of the thirty


def modules_after(code: str) -> set[str]:
    """All modules that a fresh interpreter has loaded after some code."""
    script = f"{code}\nimport sys\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_first_page_loads_next_to_nothing() -> None:
    """What a start costs is what it loads; `benchmarks/startup.py` takes the time."""
    loaded = modules_after(RUN.format(arguments=["--help"])) - modules_after("pass")
    own = {name for name in loaded if name.partition(".")[0] == "dltrain"}
    assert own == OF_THE_FIRST_PAGE
    others = {name.partition(".")[0] for name in loaded - own}
    assert not others - sys.stdlib_module_names
    assert len(loaded) - len(own) <= MOST_MODULES
