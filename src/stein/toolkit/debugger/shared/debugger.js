"use strict";
// The debugger's page: consoles, their PIN, and keys. Without it the page can still be read.

function docReady(run) {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", run);
  else run();
}

docReady(() => {
  const state = JSON.parse(document.getElementById("state").textContent);

  // -- asking the program ------------------------------------------------------------------------

  async function ask(command, fields = {}) {
    // Built from a whole URL: a path that begins with two slashes would name another host.
    const url = new URL(location.href);
    url.search = `?__debugger__=yes&cmd=${command}`;
    url.hash = "";
    const body = new URLSearchParams({ ...fields, s: state.secret });
    try {
      const response = await fetch(url, { method: "POST", body, cache: "no-store" });
      const data = await response.json();
      return { ok: response.ok, ...data };
    } catch {
      return { ok: false, error: "The program does not answer. Is it running? Then load the page again." };
    }
  }

  // -- the PIN -------------------------------------------------------------------------------------

  const lock = document.getElementById("lock");
  let unlocking = null;

  function unlock() {
    if (state.trusted) return Promise.resolve(true);
    unlocking ??= new Promise((resolve) => {
      const form = lock.querySelector("form");
      const field = form.elements.pin;
      const answer = form.querySelector(".answer");
      const end = () => {
        form.onsubmit = lock.onclose = null;
        unlocking = null;
        resolve(state.trusted);
      };
      form.onsubmit = async (event) => {
        event.preventDefault();
        const said = await ask("pinauth", { pin: field.value });
        if (said.ok && said.auth) {
          state.trusted = true;
          lock.close();
          return;
        }
        answer.textContent = explain(said);
        if (said.reason === "pin") field.select();
      };
      form.querySelector("[value=cancel]").onclick = () => lock.close();
      lock.onclose = end;
      field.value = answer.textContent = "";
      lock.showModal();
      ask("printpin");
    });
    return unlocking;
  }

  function explain(said) {
    if (said.exhausted) return "Too many wrong PINs. Start the program again.";
    if (said.reason !== "pin") return said.error;
    const tries = said.left === 1 ? "1 try is left" : `${said.left} tries are left`;
    return `That is not the PIN; ${tries}. Wait ${said.wait} s.`;
  }

  // -- consoles ------------------------------------------------------------------------------------

  const typed = []; // what was run, in all consoles

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function openConsole(place, frame) {
    const output = element("div", { class: "output", role: "log", "aria-live": "polite" });
    const prompt = element("span", { class: "prompt", "aria-hidden": "true" }, ">>>");
    const field = element("textarea", {
      rows: 1, spellcheck: "false", autocapitalize: "off", autocomplete: "off",
      "aria-label": "Python to run here; Tab completes, Escape leaves",
    });
    const list = element("ul", { class: "suggestions", role: "listbox", hidden: "" });
    const row = element("div", { class: "row" }, prompt, field);
    place.append(element("div", { class: "console" }, output, row, list));

    let at = typed.length; // position in what was run
    let tabLeaves = false;
    let offer = null; // { start, texts, chosen }

    function resize() {
      field.rows = field.value.split("\n").length;
    }

    function show(html) {
      const piece = element("div");
      piece.innerHTML = html;
      fold(piece);
      output.append(piece);
      output.scrollTop = output.scrollHeight;
    }

    async function run() {
      const code = field.value;
      close();
      if (code.trim()) typed.push(code);
      at = typed.length;
      field.value = "";
      resize();
      const line = element("div", { class: "typed" });
      const dots = code.split("\n").map((each, number) => `${number ? "..." : prompt.textContent} ${each}`);
      line.textContent = dots.join("\n");
      output.append(line);
      const said = await ask("eval", { frm: frame, code });
      if (!said.ok && said.reason === "pin") {
        state.trusted = false;
        if (await unlock()) field.value = code;
        return;
      }
      if (said.ok) {
        prompt.textContent = said.more ? "..." : ">>>";
        show(said.output);
      } else {
        output.append(element("div", { class: "error" }, said.error ?? "The program refused."));
      }
      output.scrollTop = output.scrollHeight;
    }

    function close() {
      offer = null;
      list.hidden = true;
      list.replaceChildren();
    }

    function take(text) {
      const end = field.selectionEnd;
      field.setRangeText(text, offer.start, end, "end");
      resize();
    }

    function choose(number) {
      offer.chosen = (number + offer.texts.length) % offer.texts.length;
      [...list.children].forEach((item, position) => {
        item.setAttribute("aria-selected", String(position === offer.chosen));
      });
      list.children[offer.chosen].scrollIntoView({ block: "nearest" });
      take(offer.texts[offer.chosen]);
    }

    async function complete() {
      const before = field.value.slice(0, field.selectionStart);
      const said = await ask("complete", { frm: frame, code: before });
      if (!said.ok || !said.texts.length || field.value.slice(0, field.selectionStart) !== before) return;
      // Positions count characters there and UTF-16 units here.
      const start = [...before].slice(0, said.start).join("").length;
      offer = { start, texts: said.texts, chosen: -1 };
      if (said.texts.length === 1) {
        take(said.texts[0]);
        close();
        return;
      }
      let common = said.texts[0];
      for (const text of said.texts) while (!text.startsWith(common)) common = common.slice(0, -1);
      if (common.length > before.length - start) take(common);
      list.replaceChildren(...said.texts.map((text, position) => {
        const item = element("li", { role: "option", "aria-selected": "false" }, text);
        item.onmousedown = (event) => {
          event.preventDefault();
          choose(position);
          close();
        };
        return item;
      }));
      list.hidden = false;
    }

    function recall(step) {
      const next = at + step;
      if (next < 0 || next > typed.length) return;
      at = next;
      field.value = typed[at] ?? "";
      field.setSelectionRange(field.value.length, field.value.length);
      resize();
    }

    field.oninput = () => {
      close();
      resize();
      tabLeaves = false;
    };
    field.onblur = close;
    field.onkeydown = (event) => {
      if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
      const before = field.value.slice(0, field.selectionStart);
      const after = field.value.slice(field.selectionEnd);
      const completes = event.key === "Tab" && !tabLeaves && (offer || (!event.shiftKey && /[\w.'"]$/.test(before)));
      if (completes) {
        if (offer) choose(offer.chosen + (event.shiftKey ? -1 : 1));
        else complete();
      } else if (event.key === "Enter" && !event.shiftKey) {
        if (offer && offer.chosen >= 0) close();
        else run();
      } else if (event.key === "Escape" && offer) {
        close();
      } else if (event.key === "Escape") {
        tabLeaves = true;
        return;
      } else if (event.key === "ArrowUp" && offer) {
        choose(offer.chosen - 1);
      } else if (event.key === "ArrowDown" && offer) {
        choose(offer.chosen + 1);
      } else if (event.key === "ArrowUp" && !before.includes("\n")) {
        recall(-1);
      } else if (event.key === "ArrowDown" && !after.includes("\n")) {
        recall(1);
      } else {
        return;
      }
      event.preventDefault();
    };
    return field;
  }

  // What is long in an answer stays folded until somebody wants it.
  function fold(piece) {
    for (const part of piece.querySelectorAll(".extended")) {
      const button = element("button", { type: "button", class: "more", title: "Show the rest" }, "…");
      part.hidden = true;
      button.onclick = () => {
        part.hidden = false;
        button.remove();
      };
      part.before(button);
    }
  }

  const fields = new Map(); // frame element -> the field of its console

  async function consoleOf(place) {
    if (!(await unlock())) return;
    if (place instanceof HTMLDetailsElement) place.open = true;
    if (!fields.has(place)) {
      place.querySelector(":scope > .open-console")?.remove();
      fields.set(place, openConsole(place, place.dataset.frame));
    }
    fields.get(place).focus();
  }

  const frames = [...document.querySelectorAll("details.frame")];
  if (state.consoles) {
    for (const frame of frames) {
      const button = element("button", { type: "button", class: "open-console" }, "Console in this frame");
      button.onclick = () => consoleOf(frame);
      frame.append(button);
    }
    const alone = document.querySelector(".console-page");
    if (alone) consoleOf(alone);
  }

  // -- tools and keys --------------------------------------------------------------------------------

  const plain = document.getElementById("plain");
  const copy = document.getElementById("copy");
  const unfold = document.getElementById("unfold");
  const folded = [...document.querySelectorAll("details.folded")];

  async function copyText() {
    const area = plain.querySelector("textarea");
    try {
      await navigator.clipboard.writeText(area.value);
    } catch { // not allowed, or not a secure context
      plain.open = true;
      area.select();
      if (!document.execCommand("copy")) return;
    }
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy as text"; }, 1500);
  }

  function toggleLibraries() {
    const show = unfold.getAttribute("aria-pressed") !== "true";
    unfold.setAttribute("aria-pressed", String(show));
    unfold.textContent = show ? "Fold library frames" : "Show library frames";
    for (const each of folded) each.open = show;
  }

  function step(by) {
    const shown = frames.filter((frame) => !frame.parentElement.matches("details.folded:not([open])"));
    const here = shown.findIndex((frame) => frame.contains(document.activeElement));
    const start = shown.findIndex((frame) => frame.open);
    const next = here < 0 ? start : here + by;
    shown[Math.max(0, Math.min(next, shown.length - 1))]?.querySelector("summary").focus();
  }

  if (plain) {
    copy.hidden = false;
    copy.onclick = copyText;
    unfold.hidden = folded.length === 0;
    unfold.onclick = toggleLibraries;
    document.querySelector(".keys").hidden = false;
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || lock.open) return;
      if (event.target.matches("textarea, input")) return;
      const chosen = document.activeElement?.closest?.("details.frame") ?? frames.find((frame) => frame.open);
      if (event.key === "j") step(1);
      else if (event.key === "k") step(-1);
      else if (event.key === "c" && state.consoles && chosen) consoleOf(chosen);
      else if (event.key === "t") {
        plain.open = !plain.open;
        if (plain.open) plain.querySelector("textarea").focus();
      } else return;
      event.preventDefault();
    });
  }
});
