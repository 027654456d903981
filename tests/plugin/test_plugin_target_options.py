"""What is said about a cluster reaches the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.errors import UsageError
from conformance.plugin import options
from conformance.targets import TargetOptions

if TYPE_CHECKING:
    from plugin_project import Project


def test_what_a_cluster_wants_of_namespaces_can_be_said_as_often_as_needed(project: Project) -> None:
    asked = project.pytester.parseconfigure(
        "--netpol-namespace-label=a/b=c", "--netpol-namespace-label=d=", "--netpol-namespace-annotation=e=f=g", "--netpol-despite-policies"
    )  # fmt: skip
    found = options.target_options(asked)
    assert found.namespace_labels == ("a/b=c", "d=")
    assert found.namespace_annotations == ("e=f=g",)
    assert found.despite_policies


@pytest.mark.parametrize("given", ["team", "=blue"])
def test_a_label_has_a_key_and_a_value(given: str) -> None:
    with pytest.raises(UsageError, match="is no label or annotation"):
        TargetOptions(namespace_labels=[given])
