// The answer of forecast_net_load: where net load is, and where it is expected in half an hour.
const drawing = (answer) => {
  const [width, height, left, right, edge] = [420, 130, 60, 300, 18];
  const levels = [answer.net_load_kw, answer.p10_level_kw, answer.p50_level_kw, answer.p90_level_kw];
  const [low, high] = [Math.min(...levels), Math.max(...levels)];
  const y = (kw) => height - edge - ((kw - low) / (high - low || 1)) * (height - 2 * edge);
  const [now, p10, p50, p90] = levels.map(y);
  const part = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const picture = part("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  picture.append(
    part("title", {}, `Net load ${host.power(levels[0])}, expected ${host.power(levels[2])}, ` +
      `between ${host.power(levels[1])} and ${host.power(levels[3])}`),
    part("polygon", { class: "band", points: `${left},${now} ${right},${p90} ${right},${p10}` }),
    part("line", { class: "median", x1: left, y1: now, x2: right, y2: p50 }),
    part("circle", { class: "now", cx: left, cy: now, r: 4 }),
    part("text", { x: left - 8, y: now + 4, "text-anchor": "end" }, "now"),
    part("text", { x: right + 8, y: p90 + 4 }, `P90 ${host.power(levels[3])}`),
    part("text", { x: right + 8, y: p10 + 4 }, `P10 ${host.power(levels[1])}`),
  );
  return picture;
};

const render = (answer) => {
  const known = answer.net_load_kw !== null && answer.p50_level_kw !== null;
  const share = `${Math.round(100 * answer.ramp_probability)} %`;
  return [
    host.element("h1", `Net load of ${answer.site} in 30 minutes`),
    known ? drawing(answer) : host.element("p", "The net load itself is not known; below are changes."),
    host.pairs([
      ["expected", known ? host.power(answer.p50_level_kw) : `${host.power(answer.p50_change_kw)} change`],
      ["eight times in ten", known
        ? `${host.power(answer.p10_level_kw)} to ${host.power(answer.p90_level_kw)}`
        : `${host.power(answer.p10_change_kw)} to ${host.power(answer.p90_change_kw)} change`],
      ["past the ramp limit", `${share} (limit ${host.power(answer.ramp_limit_kw)} in 30 minutes)`],
      ["made at", `${host.time(answer.issued_at)}, for ${host.time(answer.target_at)}`],
    ]),
    host.element("p", "As it was when it was asked for; positive imports.", "quiet"),
  ];
};

host.start();
