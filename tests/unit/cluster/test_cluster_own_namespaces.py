"""The namespaces of an arena: nothing of the same name that is somebody else's is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster.admitted import Foreign
from conformance.cluster.cleanup import cleanup
from conformance.cluster.client import Api, ApiError
from conformance.cluster.manifests import Setting
from conformance.cluster.naming import Names
from conformance.cluster.own_namespaces import OwnNamespaces
from conformance.errors import ActionFailed, ArenaFailed
from conformance.model.world import Namespace

if TYPE_CHECKING:
    from conftest import FakeServer

X = "/api/v1/namespaces/netpol-r-main-1-x"


@pytest.fixture
def own(kubeconfig: str) -> OwnNamespaces:
    setting = Setting(Names("r", "main-1"), "image:1", ("worker-1",), "agent")
    return OwnNamespaces(Api("test", kubeconfig), setting, 0.1, Foreign())


def there(uid: str, run: str = "r") -> dict[str, Any]:
    return {"metadata": {"name": "netpol-r-main-1-x", "uid": uid, "labels": {"netpol-conformance/run": run}}}


def deletions(server: FakeServer) -> list[tuple[str, Any]]:
    return [(request, body.get("preconditions")) for request, _, body in server.asked if request.startswith("DELETE")]


def make(own: OwnNamespaces, server: FakeServer) -> None:
    server.answer("POST /api/v1/namespaces", 201, there("ours"))
    server.answer(f"POST {X}/configmaps", 201, {})
    own.make(Namespace("x"), ArenaFailed)


def make_without_an_answer(own: OwnNamespaces, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise ApiError(0, "no answer")

    with monkeypatch.context() as patch:
        patch.setattr(Api, "create", silent)
        with pytest.raises(ArenaFailed):
            own.make(Namespace(name), ArenaFailed)


def test_a_namespace_is_deleted_only_as_the_one_that_was_made(server: FakeServer, own: OwnNamespaces) -> None:
    make(own, server)
    server.answer(f"DELETE {X}", 200, {})
    server.answer(f"DELETE {X}/pods", 200, {})
    server.answer(f"GET {X}", 200, there("ours"))
    server.answer(f"GET {X}", 200, there("another of the same name"))
    own.delete_all()
    assert deletions(server) == [(f"DELETE {X}", {"uid": "ours"}), (f"DELETE {X}/pods", None)]


def test_what_took_its_name_and_its_pods_stay(server: FakeServer, own: OwnNamespaces) -> None:
    make(own, server)
    server.refuse(f"DELETE {X}", 409, "the UID in the precondition does not match")
    with pytest.raises(ActionFailed, match="the UID in the precondition"):
        own.delete_all()
    assert [request for request, _ in deletions(server)] == [f"DELETE {X}"]


def test_one_that_was_there_before_is_not_ours(server: FakeServer, own: OwnNamespaces) -> None:
    server.refuse("POST /api/v1/namespaces", 409, "already exists")
    with pytest.raises(ArenaFailed, match="already exists"):
        own.make(Namespace("x"), ArenaFailed)
    own.delete_all()
    assert deletions(server) == []


@pytest.mark.parametrize(("run", "deleted"), [("r", [f"DELETE {X}", f"DELETE {X}/pods"]), ("another", [])])
def test_where_no_answer_came_its_label_says_whose_it_is(
    run: str, deleted: list[str], server: FakeServer, own: OwnNamespaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_without_an_answer(own, "x", monkeypatch)
    server.answer(f"GET {X}", 200, there("found", run))
    server.answer(f"GET {X}", 404, {})
    server.answer(f"DELETE {X}", 200, {})
    server.answer(f"DELETE {X}/pods", 200, {})
    own.delete_all()
    assert [request for request, _ in deletions(server)] == deleted


def test_what_cannot_be_looked_for_keeps_nothing_else_from_being_deleted(
    server: FakeServer, own: OwnNamespaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(own, server)
    make_without_an_answer(own, "y", monkeypatch)
    server.answer(f"DELETE {X}", 200, {})
    server.answer(f"DELETE {X}/pods", 200, {})
    server.answer(f"GET {X}", 404, {})
    server.refuse("GET /api/v1/namespaces/netpol-r-main-1-y", 500, "etcd is away")
    with pytest.raises(ActionFailed) as caught:
        own.delete_all()
    assert caught.value.causes == ("netpol-r-main-1-y: etcd is away",)
    assert [request for request, _ in deletions(server)] == [f"DELETE {X}", f"DELETE {X}/pods"]


def test_cleanup_deletes_what_it_has_seen(server: FakeServer, kubeconfig: str) -> None:
    server.answer("GET /api/v1/namespaces", 200, {"items": [there("seen")]})
    server.answer(f"DELETE {X}", 200, {})
    server.answer(f"DELETE {X}/pods", 200, {})
    assert cleanup("test", kubeconfig) == ("namespace netpol-r-main-1-x",)
    assert deletions(server) == [(f"DELETE {X}", {"uid": "seen"}), (f"DELETE {X}/pods", None)]
