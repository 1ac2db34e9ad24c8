"""As much of a Kubernetes API as helm's `lookup` asks for: discovery, and Secrets by name."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

VERSION = "1.34.0"
KINDS = {  # what the chart makes of each group; helm asks whether the cluster has it
    "v1": ["Secret", "ConfigMap", "Service", "ServiceAccount", "Pod"],
    "apps/v1": ["Deployment", "StatefulSet"],
    "batch/v1": ["Job"],
    "policy/v1": ["PodDisruptionBudget"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
}
HELMS = {  # helm takes over what it made itself, and nothing else
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "ink", "meta.helm.sh/release-namespace": "ocr"},
}
GROUPS = [
    {
        "name": group.partition("/")[0],
        "versions": [{"groupVersion": group, "version": "v1"}],
        "preferredVersion": {"groupVersion": group, "version": "v1"},
    }
    for group in KINDS
    if group != "v1"
]


class Cluster(ThreadingHTTPServer):
    """An API server that holds `secrets`: name to key and value."""

    def __init__(self, secrets: dict[str, dict[str, str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.secrets = secrets

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and body of one GET."""
        name = path.rpartition("/")[2]
        match path:
            case "/version":
                major, minor, _ = VERSION.split(".")
                return 200, {"major": major, "minor": minor, "gitVersion": f"v{VERSION}"}
            case "/api":
                return 200, {"kind": "APIVersions", "versions": ["v1"]}
            case "/apis":
                return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": GROUPS}
            case _ if (group := path.removeprefix("/apis/").removeprefix("/api/")) in KINDS:
                return 200, {"kind": "APIResourceList", "groupVersion": group, "resources": resources(group)}
            case _ if path.startswith("/api/v1/namespaces/ocr/secrets/") and name in self.secrets:
                data = {key: base64.b64encode(value.encode()).decode() for key, value in self.secrets[name].items()}
                metadata = {"name": name, "namespace": "ocr", **HELMS}
                return 200, {"kind": "Secret", "apiVersion": "v1", "metadata": metadata, "data": data}
            case _:
                return 404, {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "status": "Failure",
                    "reason": "NotFound",
                    "code": 404,
                }


def resources(group: str) -> list[dict[str, Any]]:
    """The kinds of a group as discovery lists them."""
    plural = {"NetworkPolicy": "networkpolicies"}
    return [
        {
            "name": plural.get(kind, f"{kind.lower()}s"),
            "singularName": kind.lower(),
            "namespaced": True,
            "kind": kind,
            "verbs": ["get"],
        }
        for kind in KINDS[group]
    ]


class _Api(BaseHTTPRequestHandler):
    server: Cluster

    def do_GET(self) -> None:
        status, body = self.server.answer(self.path.partition("?")[0])
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def cluster(folder: Path, **secrets: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """helm's arguments for a cluster that holds `secrets`; `_` in a name stands for `-`."""
    server = Cluster({name.replace("_", "-"): data for name, data in secrets.items()})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = folder / "kubeconfig"
    named = {"name": "it", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "it",
                "clusters": [named],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                "users": [{"name": "it", "user": {"token": "t"}}],
            }
        )
    )
    try:
        yield ("--kubeconfig", str(config), "--dry-run=server", "--disable-openapi-validation")
    finally:
        server.shutdown()
        server.server_close()
