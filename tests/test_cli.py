"""The command line: its pages, its errors, its exit codes; everything that trains nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dltrain
from dltrain.cli.base import Group, root
from dltrain.cli.commands import COMMANDS
from dltrain.cli.failure import failure_of
from dltrain.cli.main import run
from dltrain.config.shipped import shipped_configs
from dltrain.errors import ConfigError, CorruptFileError, DataError, Problem, StorageError

GROUPS = {"runs": ["ls", "show", "diff", "rm"], "data": ["ls", "show"]}
WORDS = [*([name] for name in COMMANDS), *([group, name] for group, names in GROUPS.items() for name in names)]


def dltrain_process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    command = [sys.executable, "-m", "dltrain", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """What a failing command says on standard error; standard output stays empty."""
    assert run(list(arguments)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The one object that a command prints with --json."""
    assert run([*arguments, "--json"]) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_the_first_page_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == run(["--help"]) == run(["-h"]) == 0
    page = capsys.readouterr().out
    assert all(f"\n  {name} " in page for name in COMMANDS)


def test_click_shows_the_same_first_page(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    quick = capsys.readouterr().out
    run(["--debug", "--help"])
    assert capsys.readouterr().out.rstrip() == quick.rstrip()


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_every_command_has_a_page(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--help"]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"Usage: dltrain {' '.join(words)}")
    if words[0] not in GROUPS or len(words) == 2:
        assert "--json" in page
        assert "--debug" in page


def test_the_table_of_commands_names_what_is_there() -> None:
    for name, (module, _) in COMMANDS.items():
        assert root.get_command(None, name).name == name, module  # type: ignore[union-attr, arg-type]
    for name, commands in GROUPS.items():
        group = root.get_command(None, name)  # type: ignore[arg-type]
        assert isinstance(group, Group)
        assert group.list_commands(None) == commands  # type: ignore[arg-type]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"dltrain {dltrain.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fti"], "did you mean 'fit'?"),
        (["runs", "sow"], "did you mean 'show'?"),
        (["zebra"], "`dltrain --help` lists them"),
        (["fit", "x.yaml", "--nmae", "a"], "--name"),
        (["fit"], "CONFIG"),
        (["fit", "digits-mpl"], "did you mean 'digits-mlp'?"),
        (["fit", "no/such.yaml"], "no/such.yaml: there is no such config"),
        (["check", "digits-mlp", "--set", "train.epohcs=3"], "did you mean 'epochs'?"),
        (["list", "layrs"], "did you mean 'layers'?"),
        (["explain", "droput"], "did you mean 'dropout'?"),
        (["init", "digits"], "digits-mlp"),
        (["evaluate", "no-run"], "dltrain runs ls"),
        (["resume", "no-run"], "dltrain runs ls"),
        (["runs", "show", "no-run"], "dltrain runs ls"),
        (["data", "show", "irish"], "did you mean 'iris'?"),
        (["gradcheck", "no-run"], "no-run"),
        (["predict", "no-run", "a.csv", "--out", "a.txt"], ".csv or .json"),
        (["fit", "digits-mlp", "--threads", "0"], "--threads"),
        (["fit", "digits-mlp", "--plugin", "no.py"], "no.py"),
        (["completion", "tcsh"], "bash"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = error_of(capsys, *arguments)
    assert said in text
    assert not list(tmp_path.iterdir())


def test_errors_are_json_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "digits-mlp", "--set", "train.epohcs=3", "--json"]) == 2
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert set(error) == {"what", "where", "expected", "got", "hint", "exit_code", "problems", "text"}
    assert error["exit_code"] == 2
    assert error["where"] == error["problems"][0]["where"] == "train.epohcs"
    assert captured.err.strip()


def test_debug_shows_the_traceback_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--debug", "init", "zebra"], ["init", "zebra", "--debug"]):
        assert run(arguments) == 2
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("bad label", where="a.csv:3", got="11"), 3, "dltrain: a.csv:3: bad label; got 11"),
        (CorruptFileError("damaged"), 4, "dltrain: damaged"),
        (StorageError("disk full"), 5, "dltrain: disk full"),
        (ConfigError([Problem(("train", "epochs"), "wrong")]), 2, "dltrain: train.epochs: wrong"),
        (PermissionError(13, "Permission denied", "/x"), 5, "dltrain: /x: permission denied"),
        (OSError(28, "No space left on device"), 5, "free some space"),
        (MemoryError(), 5, "train.batch_size"),
        (KeyError("layer"), 1, "internal error: KeyError: 'layer'; please report it; --debug shows the traceback"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_exit_codes(error: Exception, code: int, said: str) -> None:
    failure = failure_of(error)
    assert failure.exit_code == code
    assert said in failure.text
    assert "\n" not in failure.text
    assert failure.as_json()["exit_code"] == code


def test_an_internal_error_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dltrain.cli.init.shipped", lambda name: 1 / 0)
    text = error_of(capsys, "init", "digits-mlp", code=1)
    assert text == (
        "dltrain: internal error: ZeroDivisionError: division by zero; please report it; --debug shows the traceback\n"
    )


def test_ctrl_c_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dltrain.cli.init.shipped", interrupt)
    assert error_of(capsys, "init", "digits-mlp", code=130).strip() == "dltrain: interrupted"


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = json_of(capsys, "list")["items"]
    assert {"layers", "losses", "optimizers", "configs"} <= {item["name"] for item in kinds}
    for kind in kinds:
        items = json_of(capsys, "list", kind["name"])["items"]
        assert items
        for item in items:
            assert set(item) == {"name", "summary", "parameters"}
            assert item["summary"]
            assert all({"name", "type", "default"} <= set(parameter) for parameter in item["parameters"])
    assert json_of(capsys, "list", "layer") == json_of(capsys, "list", "layers")


def test_list_shows_required_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "layers"]) == 0
    assert "dense: UNITS" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["layer", "optimizer", "hook", "source", "task"])
def test_explain_knows_everything_that_list_shows(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    for item in json_of(capsys, "list", kind)["items"]:
        meanings = json_of(capsys, "explain", item["name"])["meanings"]
        assert kind in [meaning["kind"] for meaning in meanings]
        assert run(["explain", item["name"]]) == 0
        page = capsys.readouterr().out
        assert item["summary"].split("\n")[0][:40] in page
        assert ">>>" not in page


def test_explain_says_where_values_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    found = json_of(capsys, "explain", "digits-mlp", "--set", "train.epochs=3")["values"]
    values = {value["path"]: value for value in found}
    assert values["train.epochs"]["value"] == 3
    assert "--set" in values["train.epochs"]["origin"]
    assert values["train.keep"]["origin"] == "default"
    assert values["data.source.digits.images"]["origin"] == "default"
    assert "digits-mlp.yaml:" in values["train.batch_size"]["origin"]


def test_schema(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "schema.json"
    found = json_of(capsys, "schema", "--out", str(out))
    assert json.loads(out.read_text()) == found
    assert found["$schema"].startswith("https://json-schema.org/")


def test_init_writes_what_fit_takes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert json_of(capsys, "init", "iris-softmax")["path"] == "iris-softmax.yaml"
    assert json_of(capsys, "explain", "iris-softmax.yaml")["values"]
    before = Path("iris-softmax.yaml").read_text()
    Path("iris-softmax.yaml").write_text(before + "# mine\n")
    assert "--force" in error_of(capsys, "init", "iris-softmax")
    assert Path("iris-softmax.yaml").read_text().endswith("# mine\n")
    assert run(["init", "iris-softmax", "--force"]) == 0
    assert Path("iris-softmax.yaml").read_text() == before
    assert run(["init", "wine-mlp", "--out", "mine.yaml"]) == 0
    assert "dltrain fit mine.yaml" in capsys.readouterr().out


@pytest.mark.parametrize("name", shipped_configs())
def test_shipped_configs_have_a_summary_and_no_flaw(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    items = {item["name"]: item["summary"] for item in json_of(capsys, "list", "configs")["items"]}
    assert 20 < len(items[name]) < 110
    assert json_of(capsys, "explain", str(shipped_configs()[name]))["values"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_DLTRAIN_COMPLETE" in script
    assert json_of(capsys, "completion", shell)["script"].strip() == script.strip()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dltrain ev", "evaluate"),
        ("dltrain fit --fast", "--fast-dev-run"),
        ("dltrain fit digits", "digits-mlp"),
        ("dltrain list opt", "optimizers"),
        ("dltrain explain drop", "dropout"),
        ("dltrain runs d", "diff"),
    ],
)
def test_completion(words: str, expected: str) -> None:
    count = str(len(words.split()) - 1)
    environment = {**os.environ, "_DLTRAIN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    done = dltrain_process(env=environment)
    assert f"plain,{expected}" in done.stdout.split("\n")
    assert not done.stderr


def test_a_reader_that_leaves_is_no_error() -> None:
    """`dltrain schema | head -1`."""
    command = [sys.executable, "-m", "dltrain", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dltrain", "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 5
    assert "Traceback" not in done.stderr


def test_output_that_knows_no_unicode() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    for arguments in (["--help"], ["list", "losses"], ["explain", "dense"], ["list", "losses", "--json"]):
        done = dltrain_process(*arguments, env=environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_data(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLTRAIN_DATA", raising=False)
    (tmp_path / "data").mkdir()
    rows = "\n".join(f"{i},{i * 2 % 7},{'ab'[i % 2]}" for i in range(40))
    (tmp_path / "data" / "points.csv").write_text(f"u,v,kind\n{rows}\n")
    names = {entry["name"]: entry for entry in json_of(capsys, "data", "ls")["data"]}
    assert names["points.csv"]["kind"] == "csv"
    assert names["iris"]["summary"]
    shown = json_of(capsys, "data", "show", "points.csv")
    assert shown["samples"] == 40
    assert [entry["name"] for entry in shown["classes"]] == ["a", "b"]
    prepared = json_of(capsys, "data", "show", "digits-mlp")
    assert prepared["features"][0]["max"] == 1.0
    assert run(["data", "show", "iris"]) == 0
    assert "setosa" in capsys.readouterr().out


def test_threads_are_set_before_numpy_is_there() -> None:
    code = (
        "import os, sys\nfrom dltrain.cli.main import run\nrun(['data', 'ls', '--json'])\n"
        "from dltrain.cli import threads\n"
        "names = threads.VARIABLES\n"
        "threads.prepare(None); print([os.environ[n] for n in names], file=sys.stderr)\n"
        "threads.prepare(3); print([os.environ[n] for n in names], file=sys.stderr)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")} | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr.splitlines() == [str(["2"] * 4), str(["3"] * 4)]
