"""nginx and HAProxy in the place of a gateway, where they are installed: what is found depends on their settings.

The settings that mend a finding are those that `harness gateway` names.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.peers.installing import free_port, running
from lab.peers.judging import judge_gateway, new_upstream

pytestmark = [pytest.mark.e2e, pytest.mark.peers]

NGINX = """
daemon off; worker_processes 1; error_log {folder}/error.log; pid {folder}/pid;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {upstream}; {setting} }} }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  {setting}
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one {address}
"""


@contextmanager
def proxy(folder: Path, program: str, upstream: str, setting: str) -> Iterator[str]:
    """The base URL of a proxy with this setting in front of `upstream`."""
    command, port = shutil.which(program), free_port()
    if command is None:
        pytest.skip(f"{program} is not installed")
    template, arguments = (NGINX, ["-p", str(folder), "-c"]) if program == "nginx" else (HAPROXY, ["-db", "-f"])
    config = folder / "proxy.conf"
    address = upstream.removeprefix("http://")
    config.write_text(
        template.format(folder=folder, port=port, upstream=upstream, address=address, setting=setting)
    )
    start = [command, *arguments, str(config)]
    with running(start, port, log=folder / "log", environment=os.environ) as url:
        yield url


@pytest.mark.parametrize(
    ("program", "setting", "codes"),
    [
        ("nginx", "", {"gw.live/buffered"}),
        ("nginx", "proxy_buffering off;", set()),
        ("nginx", 'proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection "";', set()),
        ("haproxy", "", {"gw.hang-up", "gw.truncated/clean-end-close"}),
        ("haproxy", "option abortonclose", {"gw.truncated/clean-end-close"}),
    ],
)
def test_a_proxy_and_its_settings(tmp_path: Path, program: str, setting: str, codes: set[str]) -> None:
    """A buffer and an unnoticed hang-up are found and mended by a setting; what else there is stays."""
    port, upstream = new_upstream()
    with proxy(tmp_path, program, upstream, setting) as url:
        report = judge_gateway(url, port)
    assert {finding["code"] for row in report.rows for finding in row["findings"]} == codes
