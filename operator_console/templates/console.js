"use strict";
// Every text reaches the page through text nodes and attributes, never as HTML.
const root = document.documentElement.dataset;
const POLL_MS = 1000 * Number(root.pollS);
const GIVE_UP_MS = 6000; // the server answers within 5 s, also when it cannot read
const SILENT_MS = 10000;
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

function make(namespace, tag, attributes, children) {
  const made = document.createElementNS(namespace, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}
const html = (tag, attributes, ...children) => make("http://www.w3.org/1999/xhtml", tag, attributes, children);
const svg = (tag, attributes, ...children) => make(SVG, tag, attributes, children);

const figures = (digits) => new Intl.NumberFormat("en-GB", { maximumFractionDigits: digits, minimumFractionDigits: digits });
const FORMATS = [figures(0), figures(1), figures(2)];
const missing = (value) => value === null || value === undefined;
const number = (value, digits) => (missing(value) ? "–" : FORMATS[digits].format(value));
const unit = (value, digits, name) => (missing(value) ? "–" : number(value, digits) + " " + name);
const clock = (iso) => (missing(iso) ? "–" : iso.slice(11, 19));
const words = (items) => (items.length ? items.join(", ") : "–");
function moment(iso, plantTime) {
  if (missing(iso)) return "–";
  return iso.slice(0, 10) === plantTime.slice(0, 10) ? clock(iso) : iso.slice(0, 10) + " " + clock(iso);
}
function span(seconds) {
  if (seconds < 120) return number(seconds, 0) + " s";
  if (seconds < 7200) return number(seconds / 60, 0) + " min";
  return number(seconds / 3600, 1) + " h";
}
function age(seen) {
  if (missing(seen.age_s)) return "never reported";
  return (seen.stale ? "STALE: " : "") + span(seen.age_s) + " old";
}

function card(title, value, lines, fresh) {
  const made = html("div", { class: fresh && fresh.stale ? "card stale" : "card" }, html("span", {}, title), html("b", {}, value));
  made.append(...lines.map((line) => html("span", {}, line)));
  if (fresh) made.append(html("span", { class: "age" }, age(fresh)));
  return made;
}
function flow(kw, into, out) {
  if (missing(kw)) return "";
  return Math.abs(kw) < 0.05 ? " at rest" : kw > 0 ? " " + out : " " + into;
}
function cards(seen) {
  const [area, native] = seen.sites;
  const { forecast, price, assets } = seen;
  const battery = assets.battery || {};
  const peaker = assets.peaker || {};
  const change = forecast.Predicted_30min_Change;
  const running = missing(peaker.on) ? "–" : peaker.on ? "on" : "off";
  return [
    card("Net load, metered", unit(area.Net_Load_kW, 0, "kW"), ["site " + area.site], area),
    card("Net load without our assets", unit(native.Net_Load_kW, 0, "kW"), ["site " + native.site], native),
    card("Forecast for " + clock(forecast.target_at), unit(forecast.level_p50_kw, 0, "kW"), [
      "P10–P90: " + number(forecast.level_p10_kw, 0) + " to " + unit(forecast.level_p90_kw, 0, "kW"),
      "change: " + (change > 0 ? "+" : "") + unit(change, 0, "kW"),
    ], forecast),
    card("Price now", number(price.price_per_mwh, 2), [
      price.currency + " per MWh", "day ahead: " + number(price.da_price_per_mwh, 2),
    ]),
    card("Battery", unit(battery.soc_pct, 1, "%"), [
      unit(battery.soc_kwh, 0, "kWh"),
      unit(battery.power_kw, 1, "kW") + flow(battery.power_kw, "charging", "discharging"),
      "setpoint: " + unit(battery.setpoint_kw, 1, "kW"),
    ], assets),
    card("Gas peaker", running, [
      unit(peaker.power_kw, 1, "kW"), "setpoint: " + unit(peaker.setpoint_kw, 1, "kW"),
      "starts today: " + number(peaker.starts_today, 0),
    ], assets),
    card("Autonomy", seen.halt ? "HALTED" : "not halted", seen.halt ? ["by " + seen.halt.by] : []),
  ];
}

function table(columns, rows, none) {
  if (!rows.length) return html("p", { class: "note" }, none);
  const head = html("tr", {}, ...columns.map(([title, kind]) => html("th", { class: kind }, title)));
  const body = rows.map((row) => html("tr", {}, ...row.map((cell, i) => html("td", { class: columns[i][1] }, cell))));
  return html("div", { class: "scroll" }, html("table", {}, html("thead", {}, head), html("tbody", {}, ...body)));
}
function events(seen) {
  const rows = seen.events.map((event) => [
    moment(event.started_at, seen.plant_time), event.severity, event.kind, event.site, number(event.cause_kw, 0), event.event_id,
  ]);
  const columns = [["since", ""], ["severity", ""], ["kind", ""], ["site", ""], ["change kW", "n"], ["event", ""]];
  return table(columns, rows, "none");
}
function dispatches(seen) {
  const rows = seen.dispatches.map((item) => [
    moment(item.at, seen.plant_time), number(item.battery_kw, 1), number(item.peaker_kw, 1),
    words([...new Set([...item.battery_proposals, ...item.peaker_proposals])]), words(item.event_ids),
    words(item.rules.map((rule) => rule.quote)), item.state.toLowerCase().replace("_", " "),
  ]);
  const columns = [["at", ""], ["battery kW", "n"], ["peaker kW", "n"], ["proposals", ""], ["answers", "wide"], ["clipped by", "wide"], ["state", ""]];
  return table(columns, rows, "none yet");
}
function approvals(seen) {
  if (!seen.approvals.length) return html("p", { class: "note" }, "nothing waits");
  return html("div", {}, ...seen.approvals.map((asked) => html("div", { class: "ask" },
    html("p", {}, html("strong", {}, "#" + asked.approval_id + " " + asked.asset + " " + unit(asked.power_kw, 1, "kW") + " for " + unit(asked.duration_min, 0, "min")),
      " asked by " + asked.requester + " at " + moment(asked.asked_at, seen.plant_time) + ", expires " + moment(asked.expires_at, seen.plant_time)),
    html("p", {}, "Why: " + (asked.reason || "–")),
    html("p", {}, "Expected: " + (asked.expected_effect || "–") + "; cost " + unit(asked.expected_cost, 2, seen.price.currency)
      + "; answers " + (asked.event_id || "–")),
    html("p", {}, "Needs a person: " + words(asked.rules.map((rule) => rule.quote))),
    ...asked.commands.map((command) => html("code", {}, command)))));
}

const BOX = { left: 80, right: 710, top: 12, bottom: 224 };
function runs(points, gapMs) {
  // A hole in the data is a hole in the line: joined ends would look measured.
  const found = [];
  let last = null;
  for (const point of points) {
    if (point.slice(1).some(missing)) { last = null; continue; }
    if (last === null || point[0] - last > gapMs) found.push([]);
    found[found.length - 1].push(point);
    last = point[0];
  }
  return found;
}
function chart(seen) {
  const { start_ms: start, now_ms: now, end_ms: end, net_load: netLoad, forecast } = seen.chart;
  const [area, native] = seen.sites;
  const values = [...netLoad[area.site], ...netLoad[native.site], ...forecast].flatMap((point) => point.slice(1)).filter((kw) => !missing(kw));
  if (!values.length) return [svg("text", { x: 360, y: 130, "text-anchor": "middle" }, "nothing was measured in the last hour")];
  const low = Math.min(...values), high = Math.max(...values);
  const pad = Math.max(1, 0.06 * (high - low));
  const x = (ms) => BOX.left + ((ms - start) / (end - start)) * (BOX.right - BOX.left);
  const y = (kw) => BOX.bottom - ((kw - low + pad) / (high - low + 2 * pad)) * (BOX.bottom - BOX.top);
  const at = (ms, kw) => x(ms).toFixed(1) + "," + y(kw).toFixed(1);
  const gapMs = 1000 * seen.max_age_s;
  const line = (points, column, name) => runs(points, gapMs).map((run) =>
    svg("polyline", { class: "trace " + name, points: run.map((point) => at(point[0], point[column])).join(" ") }));
  const bands = runs(forecast, gapMs).map((run) => svg("polygon", { class: "band", points: [
    ...run.map((point) => at(point[0], point[3])), ...run.slice().reverse().map((point) => at(point[0], point[1]))].join(" ") }));
  const levels = [low, (low + high) / 2, high].flatMap((kw) => [
    svg("line", { class: "rule", x1: BOX.left, x2: BOX.right, y1: y(kw), y2: y(kw) }),
    svg("text", { x: BOX.left - 6, y: y(kw) + 4, "text-anchor": "end" }, number(kw, 0))]);
  const times = [[start, "−60 min", "start"], [start + (now - start) / 2, "−30", "middle"], [now, "now", "middle"], [end, "+30 min", "end"]].map(
    ([ms, name, anchor]) => svg("text", { x: x(ms), y: 250, "text-anchor": anchor }, name));
  return [
    ...levels, ...times, svg("line", { class: "now", x1: x(now), x2: x(now), y1: BOX.top, y2: BOX.bottom }),
    svg("g", { class: seen.forecast.stale ? "old" : "" }, ...bands, ...line(forecast, 2, "median")),
    ...line(netLoad[native.site], 1, "native"), ...line(netLoad[area.site], 1, "area"),
  ];
}

const drawn = {};
function redraw(id, value, draw) {
  // Only what changed is built anew, so that a command can be marked and copied between two polls.
  const text = JSON.stringify(value);
  if (drawn[id] === text) return;
  byId(id).replaceChildren(...[draw()].flat());
  drawn[id] = text;
}
function show(seen) {
  byId("time").textContent = seen.plant_time.replace("T", " ");
  redraw("cards", [seen.sites, seen.forecast, seen.price, seen.assets, seen.halt], () => cards(seen));
  redraw("chart", [seen.chart, seen.forecast.stale], () => chart(seen));
  redraw("approvals", [seen.approvals, seen.plant_time.slice(0, 10)], () => approvals(seen));
  redraw("events", [seen.events, seen.plant_time.slice(0, 10)], () => events(seen));
  redraw("dispatches", [seen.dispatches, seen.plant_time.slice(0, 10)], () => dispatches(seen));
  byId("audit").textContent = number(seen.audit_entries, 0);
  byId("halt").hidden = seen.halt === null;
  if (seen.halt) {
    byId("halt").textContent = "Autonomy is halted by " + seen.halt.by + " since " + moment(seen.halt.at, seen.plant_time) + ": " + seen.halt.reason;
  }
}

let problem = null; // why the last poll failed
let last = null; // the last snapshot
let answeredAt = Date.now();
let movedAt = Date.now(); // when the plant's time last moved
function whyNotLive() {
  const silent = Date.now() - answeredAt;
  const still = Date.now() - movedAt;
  if (problem !== null) return problem;
  if (silent > SILENT_MS) return "no answer for " + span(silent / 1000);
  if (last !== null && still > Math.max(SILENT_MS, 1000 * last.max_age_s)) return "the plant's clock has stood still for " + span(still / 1000);
  return null;
}
function staleParts(seen) {
  const parts = [...seen.sites.map((site) => [site.site, site]), ["forecast", seen.forecast], ["assets", seen.assets]];
  return parts.filter(([, part]) => part.stale).map(([name]) => name);
}
function tag(text, kind, title) {
  byId("state").textContent = text;
  byId("state").className = "tag " + kind;
  document.title = title + "SmartGrid-AI console";
}
function judge() {
  const why = whyNotLive();
  const stale = last === null ? [] : staleParts(last);
  if (why !== null) tag("NOT LIVE", "off", "NOT LIVE – ");
  else if (last === null) tag("connecting", "", "");
  else if (stale.length) tag("STALE: " + stale.join(", "), "off", "STALE – ");
  else tag("live", "live", "");
  byId("values").classList.toggle("dead", why !== null || last === null);
  byId("notice").hidden = why === null;
  const kept = last === null ? "Nothing was read yet." : "The values below are those of " + last.plant_time.replace("T", " ") + ".";
  const text = why === null ? "" : "Not live: " + why + ". " + kept;
  if (byId("notice").textContent !== text) byId("notice").textContent = text;
}
async function read() {
  const options = { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(GIVE_UP_MS) };
  const answer = await fetch(root.statusPath, options).catch((error) => {
    throw new Error(error.name === "TimeoutError" ? "the server does not answer" : "the server cannot be reached");
  });
  if (answer.status === 503) throw new Error((await answer.json()).reason);
  if (!answer.ok) throw new Error("the server answered " + answer.status);
  return answer.json();
}
async function poll() {
  try {
    const seen = await read();
    show(seen);
    if (last === null || last.plant_time !== seen.plant_time) movedAt = Date.now();
    answeredAt = Date.now();
    last = seen;
    problem = null;
  } catch (error) {
    problem = error.message;
  }
  judge();
  setTimeout(poll, POLL_MS);
}
setInterval(judge, 1000);
document.addEventListener("visibilitychange", judge);
poll();
