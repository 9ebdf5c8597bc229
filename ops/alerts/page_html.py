"""The "not a problem" page as text. Pure; everything that comes from outside is escaped, nothing is loaded from anywhere."""

import base64
import hashlib
from datetime import datetime, tzinfo
from html import escape
from urllib.parse import urlsplit

from ops.alerts import facts
from ops.alerts.incidents import Incident

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --ground: #f3f4f6; --line: #d0d7de;
  --accent: #0b5cad; --on-accent: #ffffff; --mark: #8a4600; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #a5adb8; --paper: #1b2027; --ground: #11151a;
  --line: #3b434d; --accent: #7db7f5; --on-accent: #0d1117; --mark: #f0b072; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
main { max-width: 44rem; margin: 2.5rem auto; padding: 2rem 2.25rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: 10px; overflow-wrap: anywhere; }
h1 { font-size: 1.45rem; line-height: 1.3; margin: 0.25rem 0 1rem; }
h2 { font-size: 1.05rem; margin: 1.75rem 0 0.5rem; }
.over-title { color: var(--soft); margin: 0; font-size: 0.95rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1.25rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
.scroll { overflow-x: auto; }
th, td { text-align: left; padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: break-word; white-space: nowrap; }
td.value { white-space: normal; overflow-wrap: anywhere; min-width: 6rem; }
th { color: var(--soft); font-weight: 500; }
code { font: 0.92em ui-monospace, "Liberation Mono", monospace; }
a { color: var(--accent); }
form { margin-top: 1.75rem; padding-top: 0.5rem; border-top: 1px solid var(--line); }
label { display: block; font-weight: 600; margin: 1rem 0 0.3rem; }
.hint { color: var(--soft); font-size: 0.92rem; margin: 0.2rem 0 0.4rem; }
textarea, input { width: 100%; padding: 0.55rem 0.7rem; font: inherit; color: inherit; background: var(--paper);
  border: 1px solid var(--soft); border-radius: 6px; }
textarea { min-height: 6.5rem; resize: vertical; }
button { margin-top: 1.25rem; padding: 0.6rem 1.2rem; font: inherit; font-weight: 600; color: var(--on-accent);
  background: var(--accent); border: 0; border-radius: 6px; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.notice { border-left: 4px solid var(--accent); padding: 0.5rem 0 0.5rem 1rem; margin: 1.25rem 0; }
.notice p { margin: 0.25rem 0; }
main > .notice:first-child { margin-top: 0; }
.problem { border-color: var(--mark); }
@media (max-width: 40rem) { main { margin: 0; border: 0; border-radius: 0; padding: 1.25rem; } }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}


def form_page(incident: Incident, zone: tzinfo, with_quotes: bool, *, problem: str = "", name: str = "", why: str = "") -> str:
    """The incident and the form; `problem` says what was missing in what was sent before."""
    notice = f'<p class="notice problem" role="alert">{escape(problem)}</p>' if problem else ""
    form = f"""
<form method="post">
<h2>Not a problem?</h2>
<p class="hint">Your answer is counted for this check and read in the weekly report. It silences nothing by itself.</p>
{notice}
<label for="why">Why is it not a problem?</label>
<p class="hint" id="why-hint">One or two sentences that help whoever tunes the check.</p>
<textarea id="why" name="why" required maxlength="2000" aria-describedby="why-hint">{escape(why)}</textarea>
<label for="name">Your name</label>
<input id="name" name="name" required maxlength="100" autocomplete="name" value="{escape(name)}">
<button type="submit">Record as not a problem</button>
</form>"""
    return _page(f"Incident {incident.incident_id}", _incident(incident, zone, with_quotes) + form)


def recorded_page(incident: Incident, zone: tzinfo, with_quotes: bool, *, name: str, why: str, at: datetime) -> str:
    """What stands in place of the form once this link was used."""
    said = f"Recorded as not a problem by {name} on {facts.moment(at, zone)}. Thank you."
    notice = f'<div class="notice" role="status"><p>{escape(said)}</p><p>“{escape(why)}”</p></div>'
    return _page(f"Incident {incident.incident_id}", notice + _incident(incident, zone, with_quotes))


def message_page(title: str, text: str) -> str:
    """A page that only says something: an expired link, an unknown incident."""
    return _page(title, f'<h1>{escape(title)}</h1><p class="notice problem">{escape(text)}</p>')


def _incident(incident: Incident, zone: tzinfo, with_quotes: bool) -> str:
    state = "open" if incident.over_at is None else f"over since {facts.moment(incident.over_at, zone)}"
    count = facts.affected(incident.details)
    pairs = [
        ("Severity", incident.severity.capitalize()),
        ("State", state),
        ("Since", facts.moment(facts.since(incident.details, incident.opened_at), zone)),
        ("Affected", f"{count:,}" if count is not None else ""),
        ("Owner", incident.owner),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in pairs if value)
    cause = f"<dt>Cause</dt><dd><code>{escape(incident.fingerprint)}</code></dd>"
    remedy = facts.text(incident.details, "remedy")
    return (
        f'<p class="over-title">CX Signals · incident {incident.incident_id}</p><h1>{escape(incident.summary)}</h1>'
        f"<dl>{listed}{cause}</dl>{_rows(incident, with_quotes)}"
        + (f"<h2>What to do</h2><p>{escape(remedy)}</p>" if remedy else "")
    )


def _rows(incident: Incident, with_quotes: bool) -> str:
    rows = facts.failing_rows(incident.details, with_quotes)
    if not rows:
        return ""
    lines = "".join(
        f"<tr><td><code>{escape(row.ticket)}</code></td><td>{escape(row.field)}</td>"
        f'<td class="value">{escape(row.value)}</td><td>{_evidence(row.evidence_url)}</td></tr>'
        for row in rows
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Ticket", "Field", "Value", "Evidence"))
    note = f'<p class="hint">{escape(facts.WITHHELD_NOTE)}</p>' if any(row.value == facts.WITHHELD for row in rows) else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<h2>Failing rows</h2><div class="scroll">{table}</div>{note}'


def _evidence(url: str) -> str:
    try:
        usable = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        usable = False
    return f'<a href="{escape(url)}" rel="noreferrer noopener">evidence</a>' if usable else "none"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · CX Signals</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>"
    )
