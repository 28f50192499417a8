"""The program of the framework's table: one text, for Flask and, by the drop-in, for stein."""

from __future__ import annotations

from flask import (
    Flask,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)

SECRET = "a key for the benchmark and for nothing else"  # noqa: S105 - measured programs sign their sessions
ITEMS = [{"name": f"thing <{number}>", "price": number * 3} for number in range(10)]

app = Flask(__name__)
app.secret_key = SECRET


@app.get("/")
def index():
    return "Hello, World!"


@app.get("/user/<int:number>")
def user(number):
    return jsonify(id=number, name="Ada Lovelace", active=True)


@app.get("/read")
def read():
    return f"{session['name']} reads page {request.args['page']}"


@app.get("/write")
def write():
    session["name"] = "Ada"
    return "kept"


@app.get("/count")
def count():
    session["visits"] = session.get("visits", 0) + 1
    return "counted"


@app.get("/page")
def page():
    return render_template("page.html", title="A page", items=ITEMS)


@app.post("/echo")
def echo():
    return jsonify(request.get_json())


@app.post("/form")
def form():
    return f"{request.form['name']}, {request.form['town']}"


@app.post("/flash")
def flash_and_redirect():
    flash("saved")
    return redirect(url_for("user", number=42))


@app.get("/links")
def links():
    made = [url_for("user", number=number) for number in range(20)]
    return " ".join(made)


@app.get("/async")
async def asynchronous():
    return "Hello, World!"
