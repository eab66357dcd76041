"use strict";
// What the server cannot know: whether its word still arrives, and whether somebody is here.
(() => {
  const SILENT_MS = 8000;
  const TOUCH_MS = 20000;
  let heardAt = Date.now();
  let touchedAt = 0;

  function listen() {
    const clock = document.getElementById("beat");
    if (!clock) return void setTimeout(listen, 100);
    new MutationObserver(() => { heardAt = Date.now(); }).observe(clock, { childList: true, characterData: true, subtree: true });
  }
  listen();

  setInterval(() => {
    const silentMs = Date.now() - heardAt;
    const silent = silentMs > SILENT_MS;
    document.body.classList.toggle("silent", silent);
    const notice = document.getElementById("silent");
    if (!notice) return;
    const text = silent ? `Not live: no word from the server for ${Math.round(silentMs / 1000)} s. What is shown is old.` : "";
    if (notice.textContent !== text) notice.textContent = text;
  }, 1000);

  function touched() {
    if (Date.now() - touchedAt < TOUCH_MS) return;
    touchedAt = Date.now();
    emitEvent("touched");
  }
  for (const kind of ["pointerdown", "keydown", "wheel", "touchstart"]) {
    addEventListener(kind, touched, { passive: true, capture: true });
  }

  let audio = null;
  addEventListener("pointerdown", () => { audio ??= new AudioContext(); }, { capture: true, once: true });
  addEventListener("keydown", () => { audio ??= new AudioContext(); }, { capture: true, once: true });
  window.chime = () => {
    if (!audio) return;
    for (const [start, hertz] of [[0, 660], [0.18, 880]]) {
      const tone = new OscillatorNode(audio, { frequency: hertz });
      const gain = new GainNode(audio, { gain: 0.12 });
      gain.gain.setTargetAtTime(0, audio.currentTime + start + 0.12, 0.05);
      tone.connect(gain).connect(audio.destination);
      tone.start(audio.currentTime + start);
      tone.stop(audio.currentTime + start + 0.5);
    }
  };
})();
