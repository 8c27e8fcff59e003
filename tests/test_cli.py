"""The command line: its pages, its errors, its exit codes; everything that trains nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import dltrain
from dltrain.cli import output
from dltrain.cli.base import Group, root
from dltrain.cli.commands import COMMANDS
from dltrain.cli.evaluate import confusion
from dltrain.cli.failure import failure_of
from dltrain.cli.main import run
from dltrain.config.shipped import shipped_configs
from dltrain.errors import ConfigError, CorruptFileError, DataError, Problem, StorageError

GROUPS = {
    "runs": ["ls", "show", "diff", "compare", "tag", "note", "rm"],
    "data": ["ls", "show", "lint", "fetch"],
    "preview": ["schedule", "batch"],
    "sweep": ["start", "resume", "status", "best", "report", "worker"],
}
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
        (["completion", "tcsh"], "SHELL; expected one of bash, zsh, fish; got 'tcsh'"),
        (["fit", "digits-mlp", "--threads", "0"], "expected a whole number from 1 to 1024; got '0'"),
        (["fit", "digits-mlp", "--threads", "x"], "--threads; expected a whole number from 1 to 1024; got 'x'"),
        (["evaluate", "a", "--split", "test", "--data", "a.csv"], "these options exclude each other"),
        (["explain", "dense", "--set", "seed=1"], "--set changes a config; expected a config; got the name 'dense'"),
        (["explain", "lr"], "did you mean 'learning_rate'?"),
        (["explain", "training.batch_size"], "did you mean 'train.batch_size'?"),
        (["resume", "a", "--plugin", "no.py"], "no.py"),
        (["evaluate", "a", "--plugin", "no.py"], "no.py"),
        (["predict", "a", "a.csv", "--plugin", "no.py"], "no.py"),
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


def test_list_knows_every_kind_and_init_every_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dltrain import registry
    from dltrain.cli.list import KINDS
    from dltrain.config.shipped import shipped_sweeps
    from dltrain.sweeps.settings import read

    assert set(registry.kinds()) <= set(KINDS)
    monkeypatch.chdir(tmp_path)
    for item in json_of(capsys, "list", "sweeps")["items"]:
        written = json_of(capsys, "init", item["name"])["path"]
        assert read(written).resolved == read(shipped_sweeps()[item["name"]]).resolved
    assert run(["init", "digits-rate", "--force"]) == 0
    assert capsys.readouterr().out.endswith("Next:\n  dltrain sweep digits-rate.yaml\n")


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


def test_explain_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    (meaning,) = json_of(capsys, "explain", "train.batch_size")["meanings"]
    keys = {"kind", "name", "summary", "doc", "page", "parameters", "type", "default", "choices", "example"}
    assert set(meaning) == keys
    assert meaning["default"] == "32" and meaning["page"] == "docs/config.md"
    assert run(["explain", "model.init"]) == 0
    page = capsys.readouterr().out
    for line in ("model.init (key)", "type     the name of an initializer", "example  model: {", "more     docs/"):
        assert line in page
    assert "he_normal" in page
    assert run(["explain", "data"]) == 0
    assert "what it is" in capsys.readouterr().out


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
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["schema"], ["list", "--json"], ["list", "layers"], ["--help"]])
def test_a_full_standard_output_is_an_error(arguments: list[str], unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "dltrain", *arguments]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment, timeout=60
        )
    assert done.returncode == 5
    assert done.stderr == "dltrain: standard output: no space left on device; free some space\n"


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    command = f'"{sys.executable}" -m dltrain list layers {closed}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_that_compiles(number: signal.Signals, tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "dltrain", "gradcheck", "digits-mlp"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        time.sleep(1.5)
        process.send_signal(number)
        _, text = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert text == "dltrain: interrupted\n"


def test_common_options_may_stand_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    expected = json_of(capsys, "list")
    for arguments in (["--json", "list"], ["--json", "--debug", "list"]):
        assert run(arguments) == 0
        assert json.loads(capsys.readouterr().out) == expected
    assert run(["data", "--json", "ls"]) == 0
    assert "data" in json.loads(capsys.readouterr().out)
    assert run(["--json", "zebra"]) == 2
    assert "error" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_alone_shows_its_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"Usage: dltrain {name}")
    assert not captured.err


def narrow(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a terminal be this wide."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")


def test_no_digit_is_lost_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(30, monkeypatch)
    numbers = [f"{number}.125" for number in range(10_000, 10_006)]
    headers = ["tensor", *(f"n{i}" for i in range(6)), "note"]
    output.show(output.table(headers, [["logits.0.dense.kernel", *numbers, "some words"]], right=headers[1:7]))
    page = capsys.readouterr().out
    assert all(number in page for number in numbers)
    assert "logits.0.dense.kernel" in page
    assert "note" in page
    assert run(["check", "moons-mlp"]) == 0
    page = capsys.readouterr().out
    assert "…" not in page
    assert "logit.2.dense" in page


def test_a_confusion_matrix_without_room_becomes_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"class{i}" for i in range(24)]
    counts = [[100 * (i == j) + (j == i + 1) for j in range(24)] for i in range(24)]
    assert len(confusion(counts, names).columns) == 3
    assert len(confusion([row[:5] for row in counts[:5]], names[:5]).columns) == 6
    narrow(30, monkeypatch)
    assert len(confusion([row[:5] for row in counts[:5]], names[:5]).columns) == 3


def test_explain_names_files_without_their_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "iris-softmax"]) == 0
    page = capsys.readouterr().out
    assert " iris-softmax.yaml:" in page
    assert "/iris-softmax.yaml:" not in page


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
