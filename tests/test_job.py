"""The Job that runs the suite inside a cluster, and the image that it is of, by what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.cluster import access
from conformance.plugin.sharding import parse

ROOT = Path(__file__).parent.parent
#: A kubectl that knows a Job of four shards: one has a record, the log of one broke off, one ended with an error, and the pod of one is deleted.
KUBECTL = r"""#!/usr/bin/env bash
printf '%s\n' "$*" >> calls
case "$*" in
  "--namespace netpol-runner --context c get job "*) printf 4 ;;
  *"get pods"*"index="[0123]) printf 'pod/old\npod/shard%s' "${@: -1:1}" | sed 's/shardbatch.*index=/shard/' ;;
  *"get pod/shard"*) [ "$4" = get ]; if [ -e "$(basename "$6")" ]; then [ "$6" != pod/shard3 ] || exit 1; printf Failed; else touch "$(basename "$6")"; printf Running; fi ;;
  *"logs --follow pod/shard0") printf 'words\n{"type": "header"}\nmore\n{"type": "footer"}\nthe end\n' ;;
  *"logs --follow pod/shard1") printf '{"type": "header"}\n'; [ -e twice ] && printf '{"type": "case"}\n{"type": "footer"}\n'; touch twice ;;
  *"logs --follow pod/shard3") printf '{"type": "header"}\n{"type": "case"}\n' ;;
  *"logs --follow pod/shard2") printf 'may not create namespaces\n' ;;
  *) printf 'unknown: %s\n' "$*" >&2; exit 1 ;;
esac
"""


def manifests() -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "ci" / "job" / "job.yaml").read_text(encoding="utf-8"))
    return {each["kind"]: each for each in documents}


def test_the_role_is_the_one_that_the_suite_prints() -> None:
    role = manifests()["ClusterRole"]
    assert {key: role[key] for key in ("apiVersion", "kind", "metadata", "rules")} == access.cluster_role()


def test_the_account_has_the_role_and_the_job_has_the_account() -> None:
    found = manifests()
    account, binding, job = found["ServiceAccount"], found["ClusterRoleBinding"], found["Job"]
    place = found["Namespace"]["metadata"]["name"]
    assert binding["roleRef"]["name"] == access.ROLE_NAME
    assert binding["subjects"] == [{"kind": "ServiceAccount", **account["metadata"]}]
    assert account["metadata"]["namespace"] == job["metadata"]["namespace"] == place
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]


def test_there_are_as_many_pods_as_shards_and_none_stops_another() -> None:
    spec = manifests()["Job"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    (shard,) = [each.partition("=")[2] for each in container["args"] if each.startswith("--shard=")]
    assert parse(shard, {"JOB_COMPLETION_INDEX": "0"}).count == spec["completions"] == spec["parallelism"]
    assert (spec["completionMode"], spec["backoffLimitPerIndex"]) == ("Indexed", 0)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_the_image_holds_what_the_wheel_is_built_of() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    included = set(re.findall(r"^!(.+)$", "\n".join(ignored), re.MULTILINE))
    assert "*" in ignored
    assert {"conformance", "cases", "ci/implementations", "kind-config.yaml", "pyproject.toml", "README.md"} <= included
    assert all((ROOT / each).exists() for each in included)


@pytest.fixture
def records(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run ci/job/records with a kubectl of the test's own; how long it waits is cut short."""
    for name, text in (("kubectl", KUBECTL), ("sleep", "#!/bin/sh\necho slept $* >> calls\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return subprocess.run(
        [ROOT / "ci" / "job" / "records", "out", "--context", "c"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_records_are_taken_out_of_the_logs(records: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    assert records.returncode == 0, records.stderr
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "shard-1.jsonl",
        "shard-1.log",
        "shard-2.jsonl",
        "shard-2.log",
        "shard-3.log",
        "shard-4.jsonl",
        "shard-4.log",
    ]
    kinds = [json.loads(line)["type"] for line in (tmp_path / "out" / "shard-1.jsonl").read_text().splitlines()]
    assert kinds == ["header", "footer"]
    assert (tmp_path / "out" / "shard-1.log").read_text().startswith("words\n")


def test_a_log_that_broke_off_is_asked_for_again(records: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    assert records.returncode == 0, records.stderr
    kinds = [json.loads(line)["type"] for line in (tmp_path / "out" / "shard-2.jsonl").read_text().splitlines()]
    assert kinds == ["header", "case", "footer"]


def test_what_a_pod_printed_before_it_was_deleted_is_kept(
    records: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    assert records.returncode == 0, records.stderr
    kinds = [json.loads(line)["type"] for line in (tmp_path / "out" / "shard-4.jsonl").read_text().splitlines()]
    assert kinds == ["header", "case"]


def test_a_shard_that_left_no_record_is_told(records: subprocess.CompletedProcess[str]) -> None:
    assert records.stderr == "shard 3: no record; out/shard-3.log says why\n"


def test_the_image_is_of_one_that_is_pinned_and_runs_as_nobody() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (base,) = [each.partition("=")[2] for each in lines if each.startswith("ARG BASE=")]
    assert re.fullmatch(r"docker\.io/library/python:[0-9.]+-slim[a-z-]*@sha256:[0-9a-f]{64}", base)
    assert "USER 65534:65534" in lines
