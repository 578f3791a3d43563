"""A stand-in for the API servers of Kubernetes clusters: GPU nodes, no pods, and nobody may make any.

What it answers is what a small cluster's server says, cut down to the fields that SkyPilot reads.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

_EMPTY = ("pods", "services", "secrets", "storageclasses", "persistentvolumeclaims")


@contextmanager
def kube_api(clusters: Mapping[str, str], gpus: int) -> Iterator["KubeApi"]:
    """One for several clusters, each with one node: `gpus` GPUs of its product, as NVIDIA's feature discovery
    labels that."""
    api = KubeApi(clusters, gpus)
    thread = threading.Thread(target=api.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.shutdown()
        thread.join()
        api.server_close()


class KubeApi(ThreadingHTTPServer):
    """`made` tells what somebody wanted to make or change; nothing ever is."""

    daemon_threads = True

    def __init__(self, clusters: Mapping[str, str], gpus: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.nodes = {name: _node(f"{name}-0", product, gpus) for name, product in clusters.items()}
        self.made: list[str] = []

    def kubeconfig(self, *more: str) -> str:
        """A kubeconfig whose contexts are the clusters' names, each also after every prefix in `more`. Its
        current context is a cluster that is not there."""
        url, names = f"http://127.0.0.1:{self.server_address[1]}", sorted(self.nodes)
        contexts = {prefix + name: name for prefix in ("", *more) for name in names}
        clusters = [{"name": name, "cluster": {"server": f"{url}/{name}"}} for name in (*names, "away")]
        told = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "away",
            "clusters": clusters,
            "users": [{"name": "ops", "user": {"token": "t"}}],
            "contexts": [
                {"name": context, "context": {"cluster": name, "user": "ops", "namespace": "default"}}
                for context, name in {**contexts, "away": "away"}.items()
            ],
        }
        return yaml.safe_dump(told)

    def answer(self, path: str) -> dict[str, Any] | None:
        """What lies at `path`; None for nothing."""
        _, cluster, *rest = path.partition("?")[0].split("/")
        if cluster not in self.nodes:
            return None
        if rest == ["version"]:
            return {"major": "1", "minor": "32", "gitVersion": "v1.32.4"}
        if rest == ["api", "v1", "nodes"]:
            return _list("NodeList", self.nodes[cluster])
        return _list("List") if rest[-1] in _EMPTY else None


class _Handler(BaseHTTPRequestHandler):
    server: KubeApi

    def do_GET(self) -> None:
        found = self.server.answer(self.path)
        self._send(200 if found is not None else 404, found or _status(404, "NotFound"))

    def do_POST(self) -> None:
        self.server.made.append(self.path)
        self._send(403, _status(403, "Forbidden"))

    def _send(self, code: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


def _list(kind: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": "v1", "metadata": {}, "items": list(items)}


def _status(code: int, reason: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}


def _node(name: str, product: str, gpus: int) -> dict[str, Any]:
    has = {"cpu": "64", "memory": "512Gi", "nvidia.com/gpu": f"{gpus}", "pods": "110"}
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/arch": "amd64",
                "nvidia.com/gpu.product": product,
                "nvidia.com/gpu.count": f"{gpus}",
            },
        },
        "spec": {},
        "status": {
            "capacity": has,
            "allocatable": has,
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        },
    }
