// Send the chosen file as the raw body of a PUT and show what the server made of it.
const form = document.getElementById("upload");
const answer = document.getElementById("answer");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  answer.hidden = false;
  answer.textContent = "Sending …";
  try {
    const file = document.getElementById("file").files[0];
    const response = await fetch(form.dataset.address, { method: "PUT", body: file });
    answer.textContent = response.ok
      ? JSON.stringify(await response.json(), null, 2)
      : `The server refused it: ${response.status} ${response.statusText}`;
  } catch (error) {
    answer.textContent = `It did not arrive: ${error.message}`;
  } finally {
    button.disabled = false;
  }
});
