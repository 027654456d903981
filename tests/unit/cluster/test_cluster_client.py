"""Speaking to an API server, and saying clearly when that does not work."""

from __future__ import annotations

import datetime as dt
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster.client import Api, ApiError, failing_as
from conformance.cluster.kubeconfig import configuration, kubectl_words
from conformance.cluster.options import ClusterTimeouts
from conformance.cluster.target import KubernetesOptions, KubernetesTarget
from conformance.errors import ActionFailed, ConformanceError, TargetUnavailable, UsageError

if TYPE_CHECKING:
    from pathlib import Path

PODS = "/api/v1/namespaces/n/pods"


def unavailable(context: str, kubeconfig: str, **timeouts: float) -> TargetUnavailable:
    with pytest.raises(TargetUnavailable) as caught:
        KubernetesTarget(KubernetesOptions(context, kubeconfig, timeouts=ClusterTimeouts(**timeouts)))
    return caught.value


def status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


def test_a_context_must_be_named() -> None:
    with pytest.raises(UsageError, match="no context"):
        KubernetesTarget(KubernetesOptions(""))


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert unavailable("test", missing).message == f"there is no kubeconfig at {missing}"


def test_a_context_that_is_not_there_lists_those_that_are(kubeconfig: str) -> None:
    error = unavailable("tset", kubeconfig)
    assert "'tset'" in error.message
    assert error.hint == "the contexts are other, test"


@pytest.mark.parametrize("text", ["{", "just text", "", "contexts: 7", "contexts: [{}]"])
def test_a_kubeconfig_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    assert isinstance(unavailable("test", str(path)), ConformanceError)


def test_several_kubeconfigs_are_merged_as_kubectl_does(
    kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{kubeconfig}")
    assert configuration("test", None).host.startswith("http://127.0.0.1")


def test_an_api_server_that_does_not_answer(kubeconfig_for: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    error = unavailable("test", kubeconfig_for(f"http://127.0.0.1:{port}"))
    assert "cannot be reached" in error.message
    assert "Connection refused" in error.causes[0]
    assert "0x" not in error.causes[0]
    assert "kubectl --kubeconfig" in (error.hint or "")


def test_an_api_server_that_is_silent(kubeconfig_for: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = unavailable("test", kubeconfig_for(f"http://127.0.0.1:{silent.getsockname()[1]}"), request=0.3)
    assert "timed out" in error.causes[0]


def test_a_name_that_does_not_resolve(kubeconfig_for: Any) -> None:
    error = unavailable("test", kubeconfig_for("http://no-such-host.invalid"), connect=5.0)
    assert "cannot be reached" in error.message


def test_credentials_that_are_not_accepted(server: Any, kubeconfig: str) -> None:
    server.answers["GET /version"] = [(401, status(401, "Unauthorized"))]
    error = unavailable("test", kubeconfig)
    assert error.causes == ("Unauthorized",)
    assert "credentials" in (error.hint or "")


def test_something_that_is_no_api_server(server: Any, kubeconfig: str) -> None:
    server.answers["GET /version"] = [(200, b"<html>hello</html>")]
    assert "not an answer of a Kubernetes API server" in unavailable("test", kubeconfig).causes[0]


def test_credentials_are_sent_and_never_shown(server: Any, kubeconfig: str) -> None:
    server.answer(f"POST {PODS}", 403, status(403, "nodes is forbidden: User x cannot list resource nodes"))
    api = Api("test", kubeconfig)
    api.get("/version")
    assert server.asked[0][1]["authorization"] == "Bearer secret"
    with pytest.raises(ActionFailed) as caught, failing_as(ActionFailed, "pod x/a was not created", api):
        api.create(PODS, {})
    assert "secret" not in str(caught.value)


def test_a_refusal_is_told_in_the_server_s_words(server: Any, kubeconfig: str) -> None:
    words = 'pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "n"'
    server.answer(f"POST {PODS}", 403, status(403, words))
    api = Api("test", kubeconfig)
    with pytest.raises(ActionFailed) as caught, failing_as(ActionFailed, "pod x/a was not created", api):
        api.create(PODS, {})
    assert caught.value.causes == (words,)
    assert "permission" in (caught.value.hint or "")


def test_a_server_that_is_busy_is_asked_again(server: Any, kubeconfig: str) -> None:
    server.answer(f"POST {PODS}", 429, status(429, "too many requests"))
    server.answer(f"POST {PODS}", 201, {"kind": "Pod"})
    assert Api("test", kubeconfig).create(PODS, {"a": 1}) == {"kind": "Pod"}
    assert [body for _, _, body in server.asked] == [{"a": 1}, {"a": 1}]


def test_long_lists_are_read_page_after_page(server: Any, kubeconfig: str) -> None:
    server.answer(f"GET {PODS}", 200, {"items": [1], "metadata": {"continue": "more"}})
    server.answer(f"GET {PODS}", 200, {"items": [2], "metadata": {}})
    assert Api("test", kubeconfig).items(PODS, {"labelSelector": "a=b"}) == [1, 2]
    assert "continue=more" in server.asked[1][0]
    assert all("labelSelector=a%3Db" in request for request, _, _ in server.asked)


def test_unknown_fields_are_to_be_refused(server: Any, kubeconfig: str) -> None:
    server.answer(f"POST {PODS}", 201, {})
    server.answer(f"PUT {PODS}", 200, {})
    api = Api("test", kubeconfig)
    api.create(PODS, {})
    api.replace(PODS, {})
    assert all(request.endswith("?fieldValidation=Strict") for request, _, _ in server.asked)


def test_deleting_what_is_gone_is_no_error(server: Any, kubeconfig: str) -> None:
    api = Api("test", kubeconfig)
    assert api.delete(PODS) is False
    assert api.exists(PODS) is False
    server.answer(f"DELETE {PODS}", 500, status(500, "no"))
    with pytest.raises(ApiError, match="no"):
        api.delete(PODS)


def test_kubectl_is_always_told_the_context() -> None:
    assert kubectl_words("c", None) == ("kubectl", "--context", "c")
    assert kubectl_words("c", "/k") == ("kubectl", "--kubeconfig", "/k", "--context", "c")


def test_the_account_of_the_suite_s_own_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("of the pod")
    (tmp_path / "ca.crt").write_text("a certificate")
    module = "kubernetes.config.incluster_config"
    monkeypatch.setattr(f"{module}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{module}.SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    settings = configuration("in-cluster", None)
    assert settings.host == "https://10.96.0.1:443"
    assert [each["value"].lower() for each in settings.auth_settings().values()] == ["bearer of the pod"]
    assert kubectl_words("in-cluster", None) == ("kubectl",)


def test_the_token_of_a_pod_is_read_again_since_it_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(dt.datetime):
        passed = dt.timedelta()

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return dt.datetime(2026, 11, 26, tzinfo=tz) + cls.passed

    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_text("a certificate")
    module = "kubernetes.config.incluster_config"
    monkeypatch.setattr(f"{module}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{module}.SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setattr(f"{module}.datetime", SimpleNamespace(datetime=Clock, timedelta=dt.timedelta))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    settings = configuration("in-cluster", None)
    (tmp_path / "token").write_text("second")
    Clock.passed = dt.timedelta(minutes=2)
    assert [each["value"].lower() for each in settings.auth_settings().values()] == ["bearer second"]


def test_in_cluster_is_no_name_for_whatever_is_at_hand_elsewhere(
    kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert "no context is called 'in-cluster'" in unavailable("in-cluster", kubeconfig).message
