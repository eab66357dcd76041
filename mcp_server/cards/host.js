"use strict";
// Speaks with the host (MCP Apps, 2026-01-26). Shows a tool's answer; calls no tool, loads nothing.
// What comes from the host is only ever set as text.
const host = (() => {
  const waiting = new Map();
  let lastId = 0;
  let context = {};
  let capabilities = {};

  const send = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const ask = (method, params) =>
    new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      send({ id: lastId, method, params });
    });

  const dress = (given) => {
    context = { ...context, ...given };
    const root = document.documentElement;
    if (context.theme) root.style.colorScheme = context.theme;
    for (const [name, value] of Object.entries(context.styles?.variables ?? {})) {
      if (name.startsWith("--") && value) root.style.setProperty(name, value);
    }
  };

  const element = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  const pairs = (rows) => {
    const list = element("dl");
    for (const [name, value] of rows) {
      if (value !== null && value !== undefined && value !== "") list.append(element("dt", name), element("dd", value));
    }
    return list;
  };

  const show = (result) => {
    const card = document.getElementById("card");
    const answer = result.structuredContent;
    if (result.isError || !answer) {
      const texts = (result.content ?? []).filter((part) => part.type === "text").map((part) => part.text);
      card.replaceChildren(element("p", texts.join("\n") || "The tool gave no answer."));
    } else {
      card.replaceChildren(...render(answer));
    }
    send({
      method: "ui/notifications/size-changed",
      params: { width: document.body.scrollWidth, height: document.body.scrollHeight },
    });
  };

  window.addEventListener("message", (event) => {
    const message = event.data;
    if (event.source !== window.parent || message?.jsonrpc !== "2.0") return;
    if (message.method === undefined) {
      const asked = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) asked?.reject(new Error(message.error.message));
      else asked?.resolve(message.result);
    } else if (message.method === "ui/notifications/tool-result") {
      show(message.params ?? {});
    } else if (message.method === "ui/notifications/host-context-changed") {
      dress(message.params ?? {});
    } else if (message.id !== undefined) {
      const known = ["ping", "ui/resource-teardown"].includes(message.method);
      send(known ? { id: message.id, result: {} } : { id: message.id, error: { code: -32601, message: "not known" } });
    }
  });

  const start = async () => {
    const begun = await ask("ui/initialize", {
      protocolVersion: "2026-01-26",
      appInfo: { name: "smartgrid", version: "1" },
      appCapabilities: { availableDisplayModes: ["inline"] },
    });
    capabilities = begun.hostCapabilities ?? {};
    dress(begun.hostContext ?? {});
    send({ method: "ui/notifications/initialized", params: {} });
  };

  return {
    element,
    pairs,
    start,
    power: (kw) => (kw === null || kw === undefined ? "not known" : `${Math.round(kw).toLocaleString(context.locale)} kW`),
    time: (text) =>
      new Date(text).toLocaleString(context.locale, {
        timeZone: context.timeZone, dateStyle: "medium", timeStyle: "short",
      }),
    link: (url) => {
      if (!capabilities.openLinks) return element("p", url);
      const button = element("button", "Open the console");
      button.addEventListener("click", () => ask("ui/open-link", { url }).catch(() => button.replaceWith(element("p", url))));
      return button;
    },
  };
})();
