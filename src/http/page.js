// Asks for the page again and puts what it says in the place of what stands there. Without it the page works as well.
"use strict";

const pause = 5000;
let typing;

async function refresh() {
  const asked = location.search;
  try {
    // Who does not answer in time is asked anew, and not by two at once.
    const signal = AbortSignal.timeout(pause);
    const answer = await fetch(location.pathname + asked, { cache: "no-store", signal });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    // What was typed meanwhile has asked for something else.
    if (asked !== location.search) return;
    for (const part of document.querySelectorAll("[data-part]")) {
      const next = fresh.getElementById(part.id);
      if (next && part.innerHTML !== next.innerHTML) part.replaceWith(document.adoptNode(next));
    }
    document.title = fresh.title;
    document.body.classList.remove("stale");
  } catch {
    document.body.classList.add("stale");
  }
}

function ask() {
  const query = new URLSearchParams(new FormData(document.getElementById("filter")));
  history.replaceState(null, "", location.pathname + "?" + query);
  refresh();
}

const form = document.getElementById("filter");
form.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(ask, 150);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
setInterval(() => document.hidden || refresh(), pause);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
