"""A new case file, to be filled in."""

from __future__ import annotations

import json
import re
import secrets
import string
from typing import TYPE_CHECKING

from conformance.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Container

_TEMPLATE = """\
# yaml-language-server: $schema=../_schema/case.schema.json
apiVersion: netpol-conformance/v1
kind: Case
id: {id}
requirement: {requirement}
spec: https://kubernetes.io/docs/concepts/services-networking/network-policies/
tier: core
features: [ingress]
steps:
  - name: deny
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {{name: deny, namespace: x}}
        spec:
          podSelector: {{matchLabels: {{pod: a}}}}
          policyTypes: [Ingress]
    expect:
      default: allow
      deny: ["* -> x/a"]
"""

_REQUIREMENT = re.compile(r"\b(MUST|SHOULD|MAY)\b")
#: What YAML reads as the same text without quotes.
_PLAIN = re.compile(r"[A-Za-z][-A-Za-z0-9 ,.;/()+*_]*")


def new_id(taken: Container[str]) -> str:
    """Return four characters that no case has: letters and digits that are not mistaken for each other."""
    alphabet = "".join(sorted(set(string.ascii_uppercase + string.digits) - set("IO01")))
    while True:
        found = secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") + "".join(secrets.choice(alphabet) for _ in range(3))
        if found not in taken:
            return found


def new_case(taken: Container[str], requirement: str) -> str:
    """Return the text of a case file that is well formed as it stands; UsageError for what is no requirement."""
    text = " ".join(requirement.split())
    if not _REQUIREMENT.search(text):
        raise UsageError(
            f"{requirement!r} is no requirement",
            hint="write one sentence with MUST or MUST NOT, about the implementation",
        )
    plain = _PLAIN.fullmatch(text) is not None
    return _TEMPLATE.format(id=new_id(taken), requirement=text if plain else json.dumps(text, ensure_ascii=False))
