"""What each step of one request costs: the same steps, called one by one with a clock between.

usage: framework_steps.py LIBRARY OPERATION      as framework_ops.py

The steps are methods that both frameworks have under the same names, in the order in which their
`wsgi_app` calls them.  Prints seconds per step, of the whole, and which modules' functions are
called how often, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from framework_ops import OPERATIONS

REQUESTS = 1000
PASSES = 8
WARM = 500
SESSIONS = {"read", "write", "count"}
APPS = Path(__file__).parent


def start_response(status, headers, exc_info=None):
    pass


def drive(app, environ, touch):
    """One request; the moments between its steps."""
    now = perf_counter
    t0 = now()
    context = app.request_context(environ)
    t1 = now()
    context.push()
    t2 = now()
    if touch:
        _ = context.session
    t3 = now()
    value = app.preprocess_request()
    t4 = now()
    if value is None:
        value = app.dispatch_request()
    t5 = now()
    response = app.make_response(value)
    t6 = now()
    response = app.process_response(response)
    t7 = now()
    result = response(environ, start_response)
    t8 = now()
    for _ in result:
        pass
    close = getattr(result, "close", None)
    if close is not None:
        close()
    t9 = now()
    context.pop(None)
    t10 = now()
    return t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10


STEPS = ("context", "push", "session", "before", "view", "make", "process", "send", "body", "pop")


def clock():
    """Seconds that lie between two looks at the clock with nothing between."""
    found = []
    for _ in range(REQUESTS):
        began = perf_counter()
        found.append(perf_counter() - began)
    return median(found)


def steps(operation, name):
    """The median of each step in the quietest pass, without the clock itself."""
    touch = name in SESSIONS
    for environ in operation.batch(WARM):
        drive(operation.app, environ, touch)
    found = dict.fromkeys(STEPS, float("inf"))
    for _ in range(PASSES):
        empty = clock()
        seen = [drive(operation.app, environ, touch) for environ in operation.batch(REQUESTS)]
        for place, step in enumerate(STEPS):
            once = median(t[place + 1] - t[place] for t in seen) - empty
            found[step] = max(0.0, min(found[step], once))
    return found


def matching(operation):
    """Finding the rule, which is a part of the push."""
    context = operation.app.request_context(operation.batch(1)[0])
    match, found = context.match_request, []
    for _ in range(REQUESTS):
        began = perf_counter()
        match()
        found.append(perf_counter() - began)
    return max(0.0, median(found) - clock())


def module_of(code):
    """The module of a function: below its package, or the program."""
    path = Path(code.co_filename)
    if path.is_relative_to(APPS):
        return "the program"
    parts = path.with_suffix("").parts
    for package in ("stein", "flask", "werkzeug", "itsdangerous", "jinja2"):
        if package in parts:
            at = len(parts) - 1 - parts[::-1].index(package)
            return ".".join(part for part in parts[at:] if part != "__init__")
    return "the standard library"


def calls(operation):
    """How many Python functions of each module, and how many C functions, one request calls."""
    counts, c_calls = {}, 0
    environ = operation.batch(1)[0]

    def look(frame, event, arg):
        nonlocal c_calls
        if event == "call":
            module = module_of(frame.f_code)
            counts[module] = counts.get(module, 0) + 1
        elif event == "c_call":
            c_calls += 1

    app = operation.app
    sys.setprofile(look)
    result = app(environ, start_response)
    sys.setprofile(None)
    for _ in result:
        pass
    if hasattr(result, "close"):
        result.close()
    counts["the program"] = counts.get("the program", 1) - 1  # start_response is ours
    return counts, c_calls - 1


def main():
    name = sys.argv[2]
    operation = OPERATIONS[name]()
    operation.answer()
    whole = min(operation.measure() for _ in range(3))
    python, c = calls(operation)
    found = {
        "whole": whole,
        "steps": steps(operation, name),
        "matching": matching(operation),
        "calls": python,
        "c_calls": c,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
