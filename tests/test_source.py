"""Rules that can be read from the sources: forbidden calls, docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import dltrain

PACKAGE = Path(dltrain.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in SOURCES]

FORBIDDEN_MODULES = {"pickle", "cPickle", "marshal", "joblib", "shelve", "dill", "cloudpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_METHODS = {
    ("yaml", "load"),
    ("yaml", "load_all"),
    ("yaml", "unsafe_load"),
    ("yaml", "full_load"),
    ("os", "system"),
    ("os", "popen"),
}
FORBIDDEN_ANYWHERE = {"extractall", "read_pickle", "to_pickle"}
FORBIDDEN_ARGUMENTS = {"shell", "allow_pickle"}
# importlib.import_module of something else than a text constant; each place says where the name comes from
NAMED_IMPORTS = {
    "registry.py": "PROVIDERS, a table of the source",
    "cli/base.py": "COMMANDS, a table of the source",
    "kernels/__init__.py": "the modules of its own packages",
}


def faults(tree: ast.AST) -> Iterator[str]:
    """What reliability forbids in a source."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            yield from (f"import {m}" for m in modules if m.split(".")[0] in FORBIDDEN_MODULES)
        elif isinstance(node, ast.Call):
            yield from call_faults(node)


def call_faults(node: ast.Call) -> Iterator[str]:
    """What is forbidden about a call."""
    function = node.func
    if isinstance(function, ast.Name) and function.id in FORBIDDEN_CALLS:
        yield function.id
    if isinstance(function, ast.Attribute):
        owner = function.value.id if isinstance(function.value, ast.Name) else ""
        if (owner, function.attr) in FORBIDDEN_METHODS or function.attr in FORBIDDEN_ANYWHERE:
            yield f"{owner}.{function.attr}"
    for keyword in node.keywords:
        value = keyword.value
        if keyword.arg in FORBIDDEN_ARGUMENTS and not (isinstance(value, ast.Constant) and value.value is False):
            yield f"{keyword.arg}="


def test_the_scan_finds_what_it_is_for() -> None:
    text = (
        "import pickle\nfrom joblib import load\neval('1')\nyaml.load(f)\nrun('x', shell=True)\n"
        "np.load(f, allow_pickle=True)\nnp.load(f, allow_pickle=False)\ntar.extractall()\nre.compile('x')"
    )
    found = list(faults(ast.parse(text)))
    assert sorted(found) == sorted(
        ["import pickle", "import joblib", "eval", "yaml.load", "shell=", "allow_pickle=", "tar.extractall"]
    )


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_nothing_can_be_executed_from_data(path: Path) -> None:
    assert not list(faults(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_modules_are_imported_by_constant_names(path: Path) -> None:
    dynamic = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("import_module")
        and not isinstance(node.args[0], ast.Constant)
    ]
    assert not dynamic or str(path.relative_to(PACKAGE)) in NAMED_IMPORTS


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Public things without a docstring; an overload or a test of them is not public."""
    if not ast.get_docstring(tree):
        yield "the module"
    for node in public(tree.body):
        if not ast.get_docstring(node):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{m.name}" for m in public(node.body) if not ast.get_docstring(m))


def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Functions and classes whose name does not begin with an underscore."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node


def documented_elsewhere(path: Path) -> set[str]:
    """Kernels that replace one of the reference, which is their specification."""
    if PACKAGE / "kernels" / "compiled" not in path.parents:
        return set()
    reference = (PACKAGE / "kernels" / "reference").glob("*.py")
    return {node.name for file in reference for node in public(ast.parse(file.read_text(encoding="utf-8")).body)}


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_public_things_are_documented(path: Path) -> None:
    assert not set(undocumented(ast.parse(path.read_text(encoding="utf-8")))) - documented_elsewhere(path)


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_nothing_is_left_undone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    assert not [mark for mark in marks if mark in text]
    raised = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Raise) and node.exc]
    assert not [node for node in raised if "NotImplemented" in ast.unparse(node.exc)]
