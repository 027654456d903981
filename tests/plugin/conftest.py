"""A project for each test."""

from __future__ import annotations

import pytest
from plugin_project import Project

# Runs in this process import anew what this process has not imported yet.
import conformance.lab.miniatures.registry
import conformance.plugin.recording
import conformance.runner.session
import conformance.targets  # noqa: F401 -- as above


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester)
