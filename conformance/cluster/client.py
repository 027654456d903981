"""The API server: requests with JSON in and out, and refusals in the server's own words.

Only credentials, certificates and proxies are left to the `kubernetes` package. Requests go straight through the connection pool that it
sets up: objects here are plain JSON anyway, the pool is safe to use from many threads, and the generated client is neither fast nor stable
from one major version to the next.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from conformance.cluster.kubeconfig import configuration, kubectl, untyped
from conformance.cluster.options import ClusterTimeouts
from conformance.errors import ConformanceError, TargetUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONNECTIONS = 32
_RETRIES = 3
NOT_FOUND, CONFLICT, UNAUTHORIZED, FORBIDDEN = 404, 409, 401, 403
_OK = range(200, 300)
MERGE_PATCH = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused (`status` is its answer's), or did not answer (`status` is 0)."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason


class Api:
    """One cluster, for any number of threads."""

    def __init__(self, context: str, kubeconfig: str | None = None, timeouts: ClusterTimeouts | None = None) -> None:
        self.context = context
        self.kubeconfig = kubeconfig
        self._timeouts = timeouts or ClusterTimeouts()
        self._lock = threading.Lock()
        self.configuration = configuration(context, kubeconfig)
        self._pool = _pool(self.configuration)

    @property
    def host(self) -> str:
        return str(self.configuration.host)

    def authorization(self) -> dict[str, str]:
        """Return the headers that say who asks, refreshed when they have expired."""
        with self._lock:  # refreshing may run a credential plugin: once is enough
            settings = self.configuration.auth_settings().values()
            return {each["key"]: each["value"] for each in settings if each["in"] == "header" and each["value"]}

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._request("GET", path, query)

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """List objects; page after page where there are many."""
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = self.get(path, {"limit": "500", **(query or {}), **more})
            found += page.get("items") or []
            if not (token := page.get("metadata", {}).get("continue")):
                return found
            more = {"continue": token}

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object. A field that the server does not know is refused, and not silently left out."""
        return self._request("POST", path, {"fieldValidation": "Strict"}, body)

    def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make an object what `body` says, and nothing else."""
        return self._request("PUT", path, {"fieldValidation": "Strict"}, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Merge `body` into an object; a value of null removes a key."""
        return self._request("PATCH", path, None, body, MERGE_PATCH)

    def delete(self, path: str, query: Mapping[str, str] | None = None, **options: Any) -> bool:
        """Delete an object or a collection; return whether it was there."""
        try:
            self._request("DELETE", path, query, {"kind": "DeleteOptions", "apiVersion": "v1", **options})
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return False
        return True

    def exists(self, path: str) -> bool:
        try:
            self.get(path)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return False
        return True

    def close(self) -> None:
        self._pool.clear()

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        urllib3 = untyped("urllib3")
        headers = {"accept": "application/json", "content-type": content_type, **self.authorization()}
        # A request that was not sent may be sent again, and one that the server wants later too; nothing else is repeated.
        again = urllib3.Retry(
            _RETRIES,
            read=False,
            redirect=False,
            other=False,
            status_forcelist=[429],
            allowed_methods=None,
            backoff_factor=0.2,
            raise_on_status=False,
        )
        try:
            answer = self._pool.request(
                method,
                f"{self.host}{path}{'?' + urlencode(query) if query else ''}",
                headers=headers,
                body=None if body is None else json.dumps(body),
                timeout=urllib3.Timeout(connect=self._timeouts.connect, read=self._timeouts.request),
                retries=again,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, _why_no_answer(error)) from error
        return _checked(answer.status, answer.data)


@contextmanager
def failing_as(kind: type[ConformanceError], doing: str, api: Api) -> Iterator[None]:
    """Turn what the API server says into an error that a user can act on."""
    try:
        yield
    except ApiError as error:
        raise kind(doing, causes=(error.message,), hint=_hint(error, api)) from error


def reachable(api: Api) -> Mapping[str, Any]:
    """Return the API server's version; TargetUnavailable where it cannot be asked."""
    try:
        return api.get("/version")
    except ApiError as error:
        what = "cannot be reached" if not error.status else "refuses to say its version"
        raise TargetUnavailable(
            f"the API server of context {api.context!r} at {api.host} {what}",
            causes=(error.message,),
            hint=_hint(error, api),
        ) from error


def namespace_path(namespace: str, *rest: str) -> str:
    """Return the path of a namespace, or of something of the core group in it."""
    return "/".join(("/api/v1/namespaces", namespace, *rest))


def deployment_path(namespace: str, *rest: str) -> str:
    """Return the path of the Deployments of a namespace, or of one of them."""
    return "/".join((f"/apis/apps/v1/namespaces/{namespace}/deployments", *rest))


def policy_path(namespace: str, *rest: str) -> str:
    """Return the path of the NetworkPolicies of a namespace, or of one of them."""
    return "/".join((f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies", *rest))


def _hint(error: ApiError, api: Api) -> str | None:
    if not error.status:
        return f"does `{kubectl(api.context, api.kubeconfig, 'get', 'nodes')}` work from here?"
    if error.status == UNAUTHORIZED:
        return f"the credentials of context {api.context!r} are missing, expired or not accepted"
    if error.status == FORBIDDEN and "forbidden: User" in error.message:
        return "the account lacks that permission; `python -m conformance.cluster.access` prints a ClusterRole with all that is needed"
    return None


def _checked(status: int, data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except ValueError:
        answer = None
    if status in _OK and isinstance(answer, dict):
        return answer
    if isinstance(answer, dict) and answer.get("kind") == "Status":
        raise ApiError(status, str(answer.get("message") or f"status {status}"), str(answer.get("reason", "")))
    raise ApiError(status, f"status {status}, and not an answer of a Kubernetes API server: {data[:200]!r}")


def _why_no_answer(error: Exception) -> str:
    """Return the innermost reason: what urllib3 wraps around it repeats the address several times."""
    reason: Any = error
    while isinstance(inner := getattr(reason, "reason", None) or reason.__cause__, Exception):
        reason = inner
    return str(reason).rpartition(">: ")[2].rpartition("object at 0x")[2].partition(": ")[2] or str(reason)


def _pool(settings: Any) -> Any:
    urllib3 = untyped("urllib3")
    settings.connection_pool_maxsize = _CONNECTIONS
    if not settings.verify_ssl:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the kubeconfig says so, for every request
    return untyped("kubernetes.client").ApiClient(configuration=settings).rest_client.pool_manager
