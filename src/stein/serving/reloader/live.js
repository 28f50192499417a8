// Asks the server whether there is something new to show: a program started anew, another
// template, another style sheet.  While a program starts, the question waits, and is answered by
// the new one at once.
(() => {
  const own = document.currentScript;
  const waits = own.dataset.run !== undefined; // this is the page about a program that failed
  const pause = 500;
  let run = own.dataset.run;
  let page, css;

  const showAnew = () => {
    if (own.dataset.method === undefined || own.dataset.method === "GET") location.reload();
  };

  const exchangeStyles = (number) => {
    for (const link of document.querySelectorAll('link[rel~="stylesheet"]')) {
      const address = new URL(link.href, location.href);
      if (address.origin !== location.origin) continue;
      address.searchParams.set("stein", number);
      const next = link.cloneNode();
      next.href = address.href;
      next.addEventListener("load", () => link.remove());
      next.addEventListener("error", () => link.remove());
      link.after(next);
    }
  };

  const ask = async () => {
    if (document.hidden) return;
    let state;
    try {
      const answer = await fetch(own.src.replace(/\.js$/, ""), { cache: "no-store" });
      state = answer.ok ? await answer.json() : {};
    } catch {
      return; // no server: it is being stopped or started
    }
    if (run !== undefined && state.run !== run) return showAnew();
    if (page !== undefined && state.page !== page) return showAnew();
    if (css !== undefined && state.css !== css) exchangeStyles(state.css);
    ({ run, page, css } = state);
  };

  const again = async () => {
    await ask();
    setTimeout(again, waits ? pause / 2 : pause);
  };
  document.addEventListener("visibilitychange", ask);
  again();
})();
