"""Jinja2 as transformers sets it up for chat templates (transformers.utils.chat_template_utils).

Reads lines {"source": …, "vars": {…}} and answers each with a line {"text": …} or {"error": …}.
"""

import datetime
import json
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

TODAY = datetime.datetime(2024, 7, 26)  # what sparkd's strftime_now tells


class Generation(jinja2.ext.Extension):
    """The tag generation: its body, as a call block."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("body"), [], [], body).set_lineno(line)

    def body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = TODAY.strftime

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {"text": environment.from_string(asked["source"]).render(**asked["vars"])}
    except Exception as e:  # whatever a template does wrong
        answer = {"error": f"{type(e).__name__}: {e}"}
    print(json.dumps(answer), flush=True)
