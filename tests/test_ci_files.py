"""Files of `ci` and the workflows: each is what it says, and what they start exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[1]
YAML = sorted([*PROJECT.glob("ci/**/*.yaml"), *PROJECT.glob(".github/**/*.yml"), PROJECT / "action.yml"])


def documents(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", YAML, ids=lambda file: str(file.relative_to(PROJECT)))
def test_it_is_yaml_and_its_commands_are_options_that_there_are(file: Path) -> None:
    assert all(documents(file))
    text = file.read_text(encoding="utf-8")
    verbs = set(re.findall(r"netpol-conformance (\w+) -", text))
    help_text = subprocess.run(
        [sys.executable, "-m", "conformance.cli", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(f" {verb} " in help_text for verb in verbs)


def test_the_script_of_the_plain_network_is_python() -> None:
    config = next(each for each in documents(PROJECT / "ci/implementations/plain/plain.yaml") if "data" in each)
    compile(config["data"]["plain.py"], "plain.py", "exec")


def test_a_command_goes_over_ssh_as_it_is(tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\n[ "$1" = vm ] && shift 2 && exec sh -c "$*"\n')  # as a login shell over there does
    ssh.chmod(0o755)
    words = ["a b", "*", "$HOME", "it's", '"', "\\", "-n"]
    said = subprocess.run(
        [str(PROJECT / "ci/over-ssh"), "vm", sys.executable, "-c", "import sys; print(sys.argv[1:])", *words],
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == f"{words}\n"
