"""Real programs of Debian, made slim by what an image.yaml declares; each works, and is small."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from skerry.edge.run import Command, run


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An image: its recipe, further files of its folder, and the most that it may be, in MB."""

    recipe: str
    files: dict[str, str] = {}
    most: float


NGINX = Case(
    recipe="""\
base: debian-13
packages: [nginx-light, openssl]
files: {/etc/nginx/nginx.conf: nginx.conf, /srv/www: pages}
run:
  - openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650
    -subj /CN=web -keyout /etc/nginx/key.pem -out /etc/nginx/cert.pem
cmd: [nginx, -g, daemon off;]
slim:
  exercises:
    - http: [{port: 80}, {port: 443, tls: true}, {port: 443, path: /index.html, tls: true}]
      signals: [HUP]
      stop: QUIT
""",
    files={
        "nginx.conf": """\
user www-data;
events {}
http {
  access_log off;
  include mime.types;
  server { listen 80; root /srv/www; }
  server { listen 443 ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem; root /srv/www; }
}
""",
        "pages/index.html": "hello",
    },
    most=16,
)
GEARMAND = Case(
    recipe="""\
base: debian-13
packages: [gearman-job-server, gearman-tools]
user: gearman
cmd: [gearmand, --listen=127.0.0.1, --log-file=stderr]
slim:
  exercises:
    - name: a job
      tcp: [{port: 4730, send: "status\\n", expect: "."}]
      commands:
        - - sh
          - -c
          - gearman -h 127.0.0.1 -w -c 1 -f up -- tr a-z A-Z &
            gearman -h 127.0.0.1 -f up hello | grep HELLO
""",
    # The tool that Skerry's minifier follows got it down to so much.
    most=24.6,
)
PYTHON = Case(
    recipe="""\
base: debian-13
packages: [python3, python3-pip]
files: {/srv/app.py: app.py, /wheels: wheels}
run: [pip install --break-system-packages --no-index --find-links /wheels msgspec markupsafe]
cmd: [python3, /srv/app.py]
slim:
  exercises:
    - http: [{port: 8000}]
      stop: INT
""",
    files={
        "app.py": """\
import http.server, sqlite3, ssl
import markupsafe, msgspec

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = sqlite3.connect(":memory:").execute("select 1").fetchone()
        words = [str(markupsafe.escape("<a>")), found[0], ssl.OPENSSL_VERSION]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(msgspec.json.encode(words))

try:
    http.server.HTTPServer(("", 8000), Page).serve_forever()
except KeyboardInterrupt:
    pass
"""
    },
    most=45,
)
NODE = Case(
    recipe="""\
base: debian-13
packages: [nodejs]
files: {/srv/app.js: app.js}
cmd: [node, /srv/app.js]
slim:
  exercises:
    - http: [{port: 8000}]
""",
    files={
        "app.js": """\
const http = require('http'), zlib = require('zlib'), crypto = require('crypto')
http.createServer((question, answer) => {
  answer.end(crypto.createHash('sha256').update(zlib.gzipSync('x')).digest('hex'))
}).listen(8000)
"""
    },
    most=115,
)
POSTGRES = Case(
    recipe="""\
base: debian-13
packages: [postgresql-17]
user: postgres
workdir: /var/lib/postgresql
env: {PATH: "/usr/lib/postgresql/17/bin:/usr/bin:/bin", LANG: C.UTF-8, PGHOST: 127.0.0.1}
cmd: [postgres, -D, /var/lib/postgresql/data, -k, /tmp]
slim:
  presets: [users, names, zones]
  exercises:
    - name: from initdb to a query
      start: [sh, -c, initdb -D data -A trust >/dev/null && exec postgres -D data -k /tmp]
      ready: [5432]
      commands:
        - [psql, -c, "create table t as select n, n::text b from generate_series(1, 1000) n"]
        - [psql, -c, "select count(*), now() at time zone 'Asia/Tokyo' from t where b ~ '^1'"]
      signals: [HUP]
      stop: INT
      within: 120
    - name: a crash and the recovery
      start:
        - sh
        - -c
        - initdb -D data -A trust >/dev/null; postgres -D data -k /tmp &
          until psql -c 'create table t (a int)'; do sleep 0.2; done;
          kill -9 $!; wait; exec postgres -D data -k /tmp
      ready: [5432]
      commands: [[sh, -c, "until psql -c 'select * from t'; do sleep 0.2; done"]]
      stop: INT
      within: 120
""",
    most=85,
)
# What a program may do that is not its own to do: setuid, file capabilities, a hard link; and what
# comes from data files: a locale, a time zone, a character set, names of hosts.
RIGHTS = Case(
    recipe="""\
base: debian-13
packages: [libcap2-bin, tzdata]
run:
  - |
    echo secret >/etc/secret; chmod 600 /etc/secret; ln /etc/secret /etc/same
    cp /usr/bin/head /usr/local/bin/as-root; chmod 4755 /usr/local/bin/as-root
    cp /usr/bin/head /usr/local/bin/able; setcap cap_dac_read_search+ep /usr/local/bin/able
user: nobody
slim:
  exercises:
    - name: rights
      commands:
        - [sh, -c, "as-root -n 1 /etc/secret && able -n 1 /etc/same"]
        - [sh, -c, "! head -n 1 /etc/secret"]
        - [sh, -c, '[ "$(stat -c %h /etc/secret)" = 2 ]']
    - name: data
      commands:
        - [sh, -c, '[ "$(TZ=Asia/Tokyo date -d @0 +%H)" = 09 ]']
        - [sh, -c, "printf '\\\\344' | iconv -f latin1 -t utf-8"]
        - [getent, ahosts, localhost]
        - [env, LC_ALL=C.UTF-8, locale, charmap]
""",
    most=20,
)
CASES = {
    "nginx": NGINX,
    "gearmand": GEARMAND,
    "python": PYTHON,
    "node": NODE,
    "postgres": POSTGRES,
    "rights": RIGHTS,
}


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[[str, Case], dict[str, int]]]:
    """Builds a case as an image of a cloud folder; the sizes of the whole and of what is left."""
    names: list[str] = []
    (tmp_path / "cloud.yaml").write_text("name: cases\n")

    def make(word: str, case: Case) -> dict[str, int]:
        name = f"skerry-test-{os.getpid()}-{word}"
        names.append(name)
        folder = tmp_path / "images" / name
        for path, text in {**case.files, "image.yaml": case.recipe}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        if "wheels" in case.recipe:
            fetch_wheels(folder / "wheels")
        words = (sys.executable, "-m", "skerry", "--json", "image", "build", name)
        built = run(Command(words, cwd=str(tmp_path)), check=False)
        assert built.status == 0, built.error_text
        found = json.loads(built.stdout)["images"][0]
        assert found["name"] == name
        return {tag: size_of(f"localhost/{name}:{tag}") for tag in ("whole", "latest")}

    yield make
    for name in names:
        tags = [f"localhost/{name}:{tag}" for tag in ("whole", "latest")]
        run(Command.of("podman", "image", "rm", "--ignore", "--force", *tags))


def size_of(reference: str) -> int:
    shown = run(Command.of("podman", "image", "inspect", "--format", "{{.Size}}", reference))
    return int(shown.text)


def fetch_wheels(folder: Path) -> None:
    """Wheels for Debian's Python: in the build they are installed without a network."""
    run(
        Command.of(
            sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:",
            "--python-version", "3.13", "--no-deps", "--dest", folder,
            "msgspec==0.20.0", "markupsafe",
        )
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_case(build: Callable[[str, Case], dict[str, int]], name: str) -> None:
    case = CASES[name]
    sizes = build(name, case)
    print(f"{name}: {sizes['whole'] / 1e6:.1f} -> {sizes['latest'] / 1e6:.1f} MB")
    assert sizes["latest"] < case.most * 1e6 < sizes["whole"]
