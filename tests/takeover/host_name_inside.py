"""Runs inside a network and a mount namespace: clients of the cloud reach a service here by the cloud's own URL.

unshare --net --mount python -m tests.takeover.host_name_inside FOLDER

The namespace has nothing but a loopback, so that nothing can reach the cloud; /etc/hosts stands for the DNS of one's
own network. Prints one JSON object of what happened; tests/takeover/test_host_name.py judges it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.airgap.inside import loopback_up, prove_there_is_no_way_out
from tests.unit.importing.files import as_csv, company

ROOT = Path(__file__).resolve().parents[2]
HOST = "ai-global.ctapi.ctyun.cn"
GATEWAY_PORT = 8080
START_SECONDS = 120


PAGE = ROOT / "docs" / "howto" / "tls.md"


def issue_by_the_page(folder: Path) -> Path:
    """Run the commands of the page's first block: authority.crt, cloud.crt and cloud.key. Returns the authority."""
    block = PAGE.read_text("utf-8").partition("```bash\n")[2].partition("```")[0]
    assert "openssl x509 -req" in block
    subprocess.run(["bash", "-ec", block], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder / "authority.crt"


class Stage:
    """The folder of the service, its authority, and the keys that were imported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = issue_by_the_page(folder)
        records = company()
        self.app, key = records[4], records[2]
        self.keys = {"AK": key["id"], "SK": key["secret"], "APPKEY": self.app["id"]}
        (folder / "company.csv").write_bytes(as_csv(records))
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("INKGATE_")} | {
            "INKGATE_DATABASE__URL": f"sqlite+aiosqlite:///{folder}/inkgate.db",
            "INKGATE_WORKER__PROCESSES": "1",
            "INKGATE_SERVER__TRUSTED_PROXIES": '["127.0.0.1/32"]',
        }

    def inkgate(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "inkgate.service.cli", *words]
        return subprocess.run(command, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=60)

    def client(self, *command: str, **env: str) -> dict[str, Any]:
        """Exit status, output and errors of a client, with the keys in its environment."""
        done = subprocess.run(
            command, env={**self.env, **self.keys, **env}, cwd=self.folder, capture_output=True, text=True, timeout=90
        )
        return {"rc": done.returncode, "out": done.stdout, "err": done.stderr[-1500:]}

    def name_leads_to(self, address: str) -> None:
        """What the DNS of this network answers for the cloud's name; "" takes the record away."""
        lines = ["127.0.0.1 localhost", "::1 localhost"] + ([f"{address} {HOST}"] if address else [])
        Path("/etc/hosts").write_text("\n".join(lines) + "\n")


@contextmanager
def own_hosts_file(folder: Path) -> Iterator[None]:
    """A hosts file of this mount namespace; the machine keeps its own."""
    (folder / "hosts").write_text("")
    subprocess.run(["mount", "--bind", str(folder / "hosts"), "/etc/hosts"], check=True)
    yield


def nginx_config(folder: Path) -> Path:
    """The published files, with the folder in place of /etc."""
    for name in ("host.conf", "takeover.conf", "calls.conf", "console.conf"):
        text = (ROOT / "deploy" / "nginx" / name).read_text()
        text = text.replace("/etc/inkgate/tls/", f"{folder}/").replace("/etc/nginx/", f"{folder}/")
        (folder / name).write_text(text)
    temporary = "".join(
        f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"user root;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log warn;\nevents {{}}\n"
        f"http {{\n{temporary}  include {folder}/host.conf;\n  include {folder}/takeover.conf;\n}}\n"
    )
    return folder / "nginx.conf"


def wait(process: subprocess.Popen[bytes], url: str) -> None:
    """Until `url` answers."""
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            assert process.poll() is None and time.monotonic() < give_up, "the service does not start"
            time.sleep(0.2)


def java_trust_store(stage: Stage) -> Path | None:
    """A trust store with the authority, as the page makes it; None without a JDK."""
    if not shutil.which("keytool"):
        return None
    store = stage.folder / "trust.p12"
    words = ["-importcert", "-noprompt", "-alias", "ink", "-file", str(stage.authority), "-keystore", str(store)]
    subprocess.run(["keytool", *words, "-storetype", "PKCS12", "-storepass", "changeit"], check=True, timeout=60,
                   capture_output=True)  # fmt: skip
    return store


def calls(stage: Stage) -> dict[str, Any]:
    """Each client without and with the authority in its trust store."""
    image, authority = str(ROOT / "service" / "samples" / "general.jpg"), str(stage.authority)
    with_requests = [sys.executable, str(ROOT / "tests" / "takeover" / "cloud_client.py"), image]
    with_urllib = [sys.executable, str(ROOT / "examples" / "python" / "minimal.py"), image]
    curl = ["curl", "--silent", "--show-error", "--data", "{}", f"https://{HOST}/v1/aiop/api/2f3p1pnxpqm8/x"]
    found = {
        "requests, not trusted": stage.client(*with_requests),
        "requests": stage.client(*with_requests, REQUESTS_CA_BUNDLE=authority),
        "urllib": stage.client(*with_urllib, SSL_CERT_FILE=authority, BASE_URL=f"https://{HOST}"),
        "curl": stage.client(*curl, CURL_CA_BUNDLE=authority),
        "curl, not trusted": stage.client(*curl),
    }
    store = java_trust_store(stage)
    if store is not None:
        source = str(ROOT / "tests" / "takeover" / "CloudClient.java")
        found["java, not trusted"] = stage.client("java", source, image)
        trust = [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStorePassword=changeit"]
        found["java"] = stage.client("java", *trust, source, image)
    return found


def doctor(stage: Stage, *words: str) -> dict[str, Any]:
    done = stage.inkgate("doctor", "--takeover", "--json", *words)
    findings = json.loads(done.stdout) if done.stdout.startswith("[") else done.stderr
    return {"rc": done.returncode, "findings": findings}


def main() -> None:
    stage, result = Stage(Path(sys.argv[1])), dict[str, Any]()
    loopback_up()
    prove_there_is_no_way_out()
    for ending in ("crt", "key"):  # host.conf serves every other name, of which the test uses none
        shutil.copy(stage.folder / f"cloud.{ending}", stage.folder / f"tls.{ending}")
    serve = subprocess.Popen([sys.executable, "-m", "inkgate.service.cli", "serve"], env=stage.env, cwd=stage.folder,
                             stdout=subprocess.DEVNULL, stderr=(stage.folder / "serve.log").open("wb"))  # fmt: skip
    proxy = None
    try:
        with own_hosts_file(stage.folder):
            wait(serve, f"http://127.0.0.1:{GATEWAY_PORT}/readyz")
            proxy = subprocess.Popen(["nginx", "-c", str(nginx_config(stage.folder)), "-g", "daemon off;"])
            stage.name_leads_to("")
            result["no record"] = doctor(stage, "--ca", str(stage.authority))
            stage.name_leads_to("127.0.0.1")
            result["before the import"] = doctor(stage, "--ca", str(stage.authority))
            done = stage.inkgate("account", "import", "company.csv", "--apply")
            assert done.returncode == 0, done.stderr
            time.sleep(3.5)  # the gateway caches unknown keys for 3 seconds
            result["not trusted"] = doctor(stage)
            result["ready"] = doctor(stage, "--ca", str(stage.authority), "--address", "127.0.0.1")
            result["elsewhere"] = doctor(stage, "--ca", str(stage.authority), "--address", "192.0.2.7")
            result["clients"] = calls(stage)
            result["packs"] = json.loads(stage.inkgate("pack", "list", "云上公司", "--json").stdout)
            stage.name_leads_to("8.8.8.8")  # going back: the record of the network leads to the cloud again
            result["public"] = doctor(stage, "--ca", str(stage.authority))
    finally:
        for process in (proxy, serve):
            if process is not None:
                process.terminate()
                process.wait(30)
    print("RESULT " + json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
