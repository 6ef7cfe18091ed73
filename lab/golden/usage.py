"""Wrong command lines: what is refused, with which exit code and words."""

from __future__ import annotations

import shlex

_LINES = """\
chekc emulator
--nonsense
check
check --no-such-option
check emulator -c no.such
check emulator --level never
check emulator --profile no-such
check emulator --capability stream
check emulator --capability +no-such
check emulator -j 0
check emulator --rate x
check emulator --timeout 0
check emulator --report pdf=x.pdf
check emulator --report json
check emulator --baseline none.yaml
check emulator --baseline bad.yaml
check emulator --baseline-update
check emulator -H nonsense
check http://[::1
check http://127.0.0.1:1
check ftp://h
check emulator -c get --exclude get
check emulator --capability -stream --profile streaming
list no.such
explain
explain no.such
explain get.okk
serve --port x
serve --port 70000
serve --setting resume=sideways
serve --tls-key key.pem
serve --tls-cert none.pem
serve --setting foo=1
serve --setting foo
serve --setting event_ids=several
serve --scenario none.yaml
serve --scenario bad.yaml
serve --mutant no-such-mutant
serve --fault nonsense
serve --
serve --port 0 -- no-such-command-at-all
serve --port 0 -- sh -c 'exit 7'
torture
torture --
torture --cuts everywhere -- x
torture --cuts event:3 -- x
torture --endings rst,bang -- x
torture --endings , -- x
torture --event-ids some -- x
torture --cassette no.yaml -- x
torture --cassette no.yaml --script {} -- x
torture --report html=x.html -- x
torture -- /no/such/command
torture -- sh -c 'exit 3'
torture --client nobody
torture --client curl --mode poll
torture --client curl -- x
torture --mode never -- x
torture --client nobody
gateway
gateway emulator
gateway http://127.0.0.1:1 -c gw.nothing
gateway http://127.0.0.1:1 --
gateway http://127.0.0.1:1 --baseline missing.yaml
gateway http://127.0.0.1:1 --report html=x.html
gateway http://127.0.0.1:1 --upstream-port 0 -- /no/such/gateway
gateway http://127.0.0.1:1 --upstream-port 0
fuzz emulator --engine no-such
fuzz emulator --size no-such
fuzz http://127.0.0.1:1
fuzz emulator --report html=x.html
fuzz emulator --level never
fuzz emulator --deadline -1
mutants no-such-mutant
record --cassette a.yaml
record --target http://h --cassette a.txt
record --target http://h --cassette a.yaml --max-requests 3
record --target http://h --send all --no-redaction
record --target http://h --send all --cassette a.yaml
record --target http://h --send al
record --target https://generativelanguage.googleapis.com --send all
record --target http://127.0.0.1:1 --send all -- true
record --target http://127.0.0.1:1
record --target http://h/v1beta --cassette a.yaml
record --target http://h --cassette a.yaml --record-mode some
record --target https://h --cassette a.yaml --ca-file none.pem
record --target http://[::1 --cassette a.yaml
record --target http://localhost:8400 --cassette a.yaml
replay none.yaml
replay bad.yaml
replay none.yaml --speed slow
replay none.yaml --mode some
proxy --fault event:1,fin
proxy --target http://127.0.0.1:1 --fault event:1,fim
proxy --target http://127.0.0.1:8001 --port 8001
diff none.yaml none.yaml
diff bad.yaml bad.yaml
verify
verify nowhere
verify bad.yaml
verify bad.sse
verify bad.sse --json
"""

USAGE = tuple(tuple(shlex.split(line)) for line in _LINES.splitlines())
"""The words of each wrong command line."""
