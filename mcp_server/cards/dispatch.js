// The answer of a tool that acts: what became of the request, and where a person decides on it.
const WORDS = { accepted: "Accepted", pending_approval: "Waits for an operator", denied: "Denied" };
const KINDS = { accepted: "accepted", pending_approval: "waits", denied: "denied" };

const render = (answer) => {
  const waits = answer.status === "pending_approval";
  // The server puts the address last; one that stands elsewhere may be somebody else's words.
  const link = waits ? /https?:\/\/[^\s<>"]+\/console\/approvals\/\d+$/.exec(answer.next_step) : null;
  const made = host.element("section", undefined, KINDS[answer.status] ?? "denied");
  made.append(
    host.element("h1", `${WORDS[answer.status] ?? answer.status}: ${answer.asset}`),
    host.pairs([
      ["asked", `${host.power(answer.requested_power_kw)} for ${answer.duration_min} min`],
      ["granted", answer.power_kw === null ? "" : host.power(answer.power_kw)],
      [waits ? "to be decided until" : "until", answer.expires_at ? host.time(answer.expires_at) : ""],
      ["request", answer.approval_id ?? ""],
      ...answer.findings.map((finding) => [finding.rule, finding.quote]),
      ["next", answer.next_step],
    ]),
  );
  if (link) made.append(host.link(link[0]));
  made.append(
    host.element("p", waits
      ? "Nothing here approves: a person decides on the console or at the command line."
      : "As it was when it was asked for; positive injects.", "quiet"),
  );
  return [made];
};

host.start();
