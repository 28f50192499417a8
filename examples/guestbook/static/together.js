// Ask for ten slow answers at once and draw, as bars on one time axis, when each was served.
const button = document.getElementById("together");
const bars = document.getElementById("bars");
const AXIS = 6000; // milliseconds across the full width

async function one(number, begin) {
  const item = bars.appendChild(document.createElement("li"));
  const bar = item.appendChild(document.createElement("meter"));
  const label = item.appendChild(document.createElement("span"));
  bar.max = AXIS;
  bar.setAttribute("aria-label", `Request ${number}`);
  label.textContent = "waiting";
  try {
    const response = await fetch(`${button.dataset.address}?seconds=2&n=${number}`);
    const facts = await response.json();
    bar.value = performance.now() - begin;
    label.textContent = `${facts.thread}: ${facts.started} to ${facts.finished}`;
  } catch (error) {
    label.textContent = error.message;
  }
}

button.hidden = false;
button.addEventListener("click", async () => {
  button.disabled = true;
  bars.replaceChildren();
  const begin = performance.now();
  await Promise.all(Array.from({ length: 10 }, (_, index) => one(index + 1, begin)));
  button.disabled = false;
});
