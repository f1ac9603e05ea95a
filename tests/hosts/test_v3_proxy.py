"""The configuration in ``docs/behind_a_proxy.md``, before a simulated server."""

import base64
import getpass
import http.client
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from thing_rig import started

PAGE = Path(__file__).resolve().parents[2] / "docs" / "behind_a_proxy.md"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or shutil.which("nginx")
OPENSSL = shutil.which("openssl")
NAME = "microscope.local"
STATUS = "/api/v3/timelapse/status"
STOP = "/api/v3/timelapse/stop"

pytestmark = pytest.mark.skipif(
    NGINX is None or OPENSSL is None, reason="needs nginx: apt install nginx openssl"
)


def configured(folder: Path, port: int, server: str) -> str:
    """Return the page's configuration with another place, port and server."""
    found = re.search(r"```nginx\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    text = found[1].replace("/etc/nginx/microscope.", f"{folder}/microscope.")
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}")
    return text.replace("http://127.0.0.1:5000", server)


@pytest.fixture(name="port")
def _port(tmp_path: Path) -> Iterator[int]:
    folder = tmp_path
    rig = started(folder / "server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = f"{OPENSSL} req -x509 -newkey rsa:2048 -nodes -subj /CN={NAME}".split()
    files = ["-keyout", folder / "microscope.key", "-out", folder / "microscope.crt"]
    subprocess.run([*command, *files], check=True, capture_output=True)
    told = subprocess.run(
        [str(OPENSSL), "passwd", "-apr1", "secret"], check=True, capture_output=True
    )
    (folder / "microscope.users").write_bytes(b"me:" + told.stdout)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    config = folder / "nginx.conf"
    # As who runs the test: nobody else may look into its folder.
    config.write_text(
        f"user {getpass.getuser()}; daemon off; pid {folder}/pid; events {{}}\n"
        f"error_log {folder}/error.log;\n"
        f"http {{ access_log off; {paths}\n{configured(folder, port, rig.url)} }}"
    )
    arguments = ["-e", str(folder / "error.log"), "-c", str(config), "-p", str(folder)]
    process = subprocess.Popen([str(NGINX), *arguments])
    try:
        _wait_for(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()
        rig.close()


def _wait_for(process: Any, port: int) -> None:
    """Return when somebody listens, or fail."""
    while process.poll() is None:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail("nginx did not start with the page's configuration")


def asked(port: int, method: str, path: str, **headers: str) -> Any:
    """Return the answer to a request; None when there was none."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
    sent = {"Host": NAME, **{name.replace("_", "-"): headers[name] for name in headers}}
    try:
        connection.request(method, path, headers=sent)
        answer = connection.getresponse()
        answer.read()
    except (http.client.HTTPException, OSError):
        return None
    finally:
        connection.close()
    return answer


LOGIN = {"Authorization": "Basic " + base64.b64encode(b"me:secret").decode()}


def test_nothing_without_a_login(port: int) -> None:
    """The page neither."""
    assert asked(port, "GET", STATUS).status == 401
    wrong = base64.b64encode(b"me:wrong").decode()
    assert asked(port, "GET", STATUS, Authorization=f"Basic {wrong}").status == 401


def test_everything_with_it(port: int) -> None:
    """The page, its verbs, and what they refuse."""
    assert asked(port, "GET", "/api/v3/timelapse/page/", **LOGIN).status == 200
    assert asked(port, "GET", STATUS, **LOGIN).status == 200
    same = {"Sec_Fetch_Site": "same-origin"}
    assert asked(port, "POST", STOP, **LOGIN, **same).status == 409


def test_no_other_site_steers_or_reads(port: int) -> None:
    """Even where the browser sends the login with its request."""
    other = {"Sec_Fetch_Site": "cross-site", "Origin": "http://evil.example"}
    assert asked(port, "POST", STOP, **LOGIN, **other).status == 403
    answer = asked(port, "GET", STATUS, **LOGIN, **other)
    assert answer.headers["access-control-allow-origin"] is None
    assert asked(port, "GET", STATUS, **LOGIN, Host="evil.example") is None
