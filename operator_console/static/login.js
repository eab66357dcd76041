"use strict";
// A link's code stands in the fragment, which no server, log or referrer sees. It is spent by a POST of this
// page, so that whatever looks at the link without running it does not use it up.
const field = (name) => document.getElementById(name);
const home = field("form").getAttribute("action").replace(/login$/, "");
const next = new URLSearchParams(location.search).get("next") || "";
field("zone").value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
field("next").value = next;

function spend() {
  const code = location.hash.slice(1);
  if (!code) return false;
  history.replaceState(null, "", location.pathname + location.search);
  field("secret").value = code;
  field("form").requestSubmit();
  return true;
}
addEventListener("hashchange", spend); // a link that is opened on this very page
if (!spend()) {
  // Whoever comes from another site with a session has it sent along only from here on.
  fetch(home + "session", { cache: "no-store" }).then((answer) => {
    if (answer.status === 204) location.replace(home + next.replace(/^\/+/, ""));
  });
}
