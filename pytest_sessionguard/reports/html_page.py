"""A result as one HTML file that needs nothing beside it (extra `report`); the only file that imports jinja2."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pytest_sessionguard.core.result import Result
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.reports.json_file import write_text
from pytest_sessionguard.reports.plain_text import span

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>sessionguard: {{ result.target }} {{ result.verdict }}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222; }
h1 { font-size: 1.4em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .2em .8em .2em 0; }
th { border-bottom: 1px solid #999; } td { border-bottom: 1px solid #eee; vertical-align: top; }
pre { background: #f6f6f4; padding: 1em; overflow-x: auto; }
.held { color: #17692f; } .violated, .error { color: #b3261e; font-weight: 600; }
.unproven, .skipped { color: #8a5a00; }
.not-applicable { color: #888; }
</style>
</head>
<body>
<h1>{{ result.target }}: <span class="{{ result.verdict }}">{{ result.verdict }}</span></h1>
<p>{{ result.count_of_cases }} cases, virtual {{ span(result.virtual_us) }}
in {{ "%.1f" | format(result.duration_s) }} s,
seed {{ result.seed }}{% if result.interrupted %}; interrupted{% endif %}</p>
{% for found in result.violations %}
<h2 class="violated">{{ found.property }}</h2>
<pre>{{ found.message }}</pre>
{% endfor %}
{% if result.nondeterministic %}
<h2>Not repeatable</h2>
{% for text in result.nondeterministic %}<pre>{{ text }}</pre>
{% endfor %}{% endif %}
<h2>Properties</h2>
<table>
<tr><th>property</th><th>status</th><th>cases</th><th></th></tr>
{% for item in result.properties if item.status != "not-applicable" %}
<tr><td>{{ item.name }}</td><td class="{{ item.status }}">{{ item.status }}</td><td>{{ item.cases }}</td>
<td>{{ item.reason }}</td></tr>
{% endfor %}
</table>
{% if result.cases %}
<h2>Cases</h2>
<table>
<tr><th>case</th><th>status</th><th>virtual time</th><th></th></tr>
{% for case in result.cases %}
<tr><td>{{ case.name }}</td><td class="{{ case.status }}">{{ case.status }}</td><td>{{ span(case.virtual_us) }}</td>
<td>{{ case.reason }}</td></tr>
{% endfor %}
</table>
{% endif %}
{% for text in result.warnings %}<p>warning: {{ text }}</p>
{% endfor %}
</body>
</html>
"""


def page(result: Result) -> str:
    """Return the page.

    Raises:
        UsageError: jinja2 is missing; the message says how to install it.
    """
    try:
        import jinja2
    except ModuleNotFoundError:
        raise UsageError("an HTML report needs jinja2: pip install 'pytest-sessionguard[report]'") from None
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_PAGE).render(result=result, span=span)


def write(result: Result, path: Path) -> None:
    """Write the page to `path`, whole or not at all.

    Raises:
        UsageError: jinja2 is missing, or nothing can be written there.
    """
    write_text(page(result), path)
