"use strict";

const arrivals = document.getElementById("arrivals");
const state = document.getElementById("state");
const events = new EventSource(arrivals.dataset.events);

events.onopen = () => { state.textContent = "Waiting for cards …"; };
// The stream ends now and then; the browser opens it again and says which card it saw last.
events.onerror = () => {
  if (events.readyState === EventSource.CLOSED) state.textContent = "The server has gone. Reload the page to try again.";
};
// The server has written this HTML, and has escaped what visitors wrote.
events.onmessage = (event) => arrivals.insertAdjacentHTML("afterbegin", event.data);
