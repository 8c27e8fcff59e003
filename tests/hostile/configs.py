"""Writes hostile config files; run as a program, it loads each one and prints what happened as JSON lines.

python tests/hostile/configs.py FOLDER
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

GOOD = "data: {source: digits}\nmodel: {graph: {y: [dense]}}\n"
MIB = 2**20


def texts() -> dict[str, str | bytes]:
    """{what it tries: text}; none of them is a config."""
    laughs = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)
    )
    blocks = "".join(f"    b{i}: [b{i + 1}, b{i + 1}]\n" for i in range(40)) + "    b40: [dense: 1]\n"
    repeats = "data: {source: digits}\nmodel: {graph: {y: [dense: {units: 1, repeat: 1000000000}]}}\n"
    return {
        "billion laughs": laughs,
        "an alias of itself": "a: &a [*a]\n",
        "merge of an alias": "a: &a {b: 1}\nc: {<<: *a}\n",
        "quadratic aliases": "a: &a " + "x" * 100_000 + "\nb: [" + "*a, " * 9_000 + "]\n",
        "python object": GOOD + "name: !!python/object/apply:os.system ['touch hacked']\n",
        "python name": GOOD + "name: !!python/name:os.system\n",
        "python module": "!!python/module:os\n",
        "python tuple key": "? !!python/tuple [1, 2]\n: 1\n",
        "verbatim tag": "a: !<tag:yaml.org,2002:python/object/new:os.system> [ls]\n",
        "tag directive": "%TAG ! tag:yaml.org,2002:python/\n---\na: !object/apply:os.system [ls]\n",
        "binary": "a: !!binary R0lGODlhDAAMAIQAAP\n",
        "timestamp": "a: !!timestamp 2024-13-99\n",
        "set": "!!set {a, b}\n",
        "200 kB of [": "[" * 200_000,
        "200 kB of {": "{" * 200_000,
        "nested maps": "{a: " * 60_000,
        "nested block maps": "".join(" " * i + "a:\n" for i in range(600)),
        "nested block lists": "- " * 100_000,
        "nested question marks": "? " * 100_000,
        "many colons": ": " * 100_000,
        "many anchors": "&a " * 80_000,
        "many tags": "!a " * 80_000,
        "many documents": "---\n" * 60_000,
        "many quotes": "'" * 200_001,
        "many double quotes": '"' * 200_001,
        "many escapes": 'a: "' + "\\x41" * 60_000 + '"\n',
        "many comments": "# x\n" * 60_000,
        "many empty lines": "\n" * 250_000,
        "many words": "a: " + "x " * 120_000,
        "many keys": "".join(f"k{i}: 1\n" for i in range(20_000)),
        "the same key": "a: 1\n" * 50_000,
        "many items": "a: [" + "1, " * 80_000 + "]\n",
        "a folded text": "a: >\n" + "  x\n\n" * 40_000,
        "a huge key": "a" * 250_000 + ": 1\n",
        "a huge quoted key": '"' + "a" * 250_000 + '": 1\n',
        "a huge explicit key": "? " + "a" * 250_000 + "\n: 1\n",
        "a key over lines": "? |\n  a\n  b\n: 1\n",
        "a huge text": GOOD + "name: " + "x" * 250_000,
        "a huge integer": GOOD + "seed: " + "9" * 250_000,
        "a huge hexadecimal": GOOD + "seed: 0x" + "f" * 250_000,
        "a huge exponent": GOOD + "seed: 1e999999999\n",
        "a float of many digits": GOOD + "seed: 0." + "3" * 250_000,
        "a million digits": "seed: " + "9" * 1_000_000,
        "too large": "# " + "x" * MIB + "\n",
        "huge": "a: [" + "1, " * 8_000_000,
        "NUL": GOOD + "name: a\x00b\n",
        "NUL in a key": "na\x00me: 1\n",
        "escaped NUL": GOOD + 'name: "a\\0b"\n',
        "terminal escape": GOOD + "name: \x1b]0;hacked\x07\n",
        "escaped terminal escape": GOOD + 'name: "\\e[2J"\n',
        "right to left and separators": GOOD + "name: a\u2028b\n",
        "half a character": GOOD + 'name: "\\ud800"\n',
        "beyond unicode": GOOD + 'name: "\\UFFFFFFFF"\n',
        "invalid UTF-8": b"name: \xff\xfe\xfd\n",
        "overlong UTF-8": b"name: \xc0\xaf\n",
        "UTF-16": "name: a\n".encode("utf-16"),
        "UTF-32": "name: a\n".encode("utf-32"),
        "random bytes": bytes((i * 7919 + i // 3) % 256 for i in range(100_000)),
        "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(1000),
        "a pickle": b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
        "extends itself": "extends: extends itself.yaml\n",
        "extends in a circle": "extends: circle.yaml\n",
        "extends without end": "extends: chain0.yaml\n",
        "extends an absolute path": "extends: /etc/passwd\n",
        "extends a parent": "extends: ../outside.yaml\n",
        "extends a parent inside": "extends: sub/../../outside.yaml\n",
        "extends a link that leads out": "extends: link.yaml\n",
        "extends a device": "extends: /dev/zero\n",
        "extends a pipe": "extends: pipe.yaml\n",
        "extends a URL": "extends: http://127.0.0.1:1/x.yaml\n",
        "extends a huge name": "extends: " + "x" * 200_000 + "\n",
        "name leads out": GOOD + "name: ../../evil\n",
        "import by name": "data: {source: {os.system: ls}}\nmodel: {graph: {y: [dense]}}\n",
        "layer by import": "data: {source: digits}\nmodel: {graph: {y: [os.system: ls]}}\n",
        "blocks of blocks": "data: {source: digits}\nmodel:\n  blocks:\n" + blocks + "  graph: {y: [b0]}\n",
        "a block of itself": "data: {source: digits}\nmodel: {blocks: {a: [a]}, graph: {y: [a]}}\n",
        "a billion layers": repeats,
    }


def write(folder: Path) -> list[Path]:
    """Write all files into `folder/configs`, and what they refer to; returns their paths."""
    configs = folder / "configs"
    configs.mkdir(parents=True)
    (folder / "outside.yaml").write_text(GOOD)
    (configs / "circle.yaml").write_text("extends: extends in a circle.yaml\n")
    (configs / "link.yaml").symlink_to(folder / "outside.yaml")
    import os

    os.mkfifo(configs / "pipe.yaml")
    for i in range(40):
        (configs / f"chain{i}.yaml").write_text(f"extends: chain{i + 1}.yaml\n")
    paths = []
    for name, text in texts().items():
        path = configs / f"{name}.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        paths.append(path)
    return paths


def main() -> None:
    """Load every file; one JSON line for each."""
    from dltrain.config import load
    from dltrain.errors import DltrainError

    paths = write(Path(sys.argv[1]))
    (Path(sys.argv[1]) / "good.yaml").write_text(GOOD)
    load(Path(sys.argv[1]) / "good.yaml")  # whatever must be imported is imported now
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in paths:
        start = time.process_time()
        try:
            load(path)
            error, text, code = "none", "", 0
        except DltrainError as caught:
            error, text, code = type(caught).__name__, str(caught), caught.exit_code
        except BaseException as caught:
            error, text, code = type(caught).__name__, str(caught), 1
        seconds = time.process_time() - start
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(json.dumps({"name": path.stem, "error": error, "text": text, "code": code, "s": seconds, "mib": grown}))


if __name__ == "__main__":
    main()
