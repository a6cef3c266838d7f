"use strict";
/* The player: both sides of an excerpt run at once from the same clock; a switch only moves two gains.

   For tests and the curious, `window.daiwPlayer` holds the functions that the buttons use:
     decode(n)                    -> Promise of {before, after}: the n-th excerpt (0 ...) as AudioBuffers
     render(n, switches, seconds) -> Promise of an AudioBuffer: what is heard when playing starts on the
                                     side of switches[0] and goes to switches[i].side at switches[i].at (s)
     state()                      -> {playing, side, excerpt, position} right now                          */
(() => {
  const FADE_S = 0.015;   // from side to side: too short to hear as a fade, too long to click
  const EDGE_S = 0.008;   // into and out of silence
  const SIDES = ["before", "after"];

  const deck = document.getElementById("deck");
  if (!deck || !(window.AudioContext && window.OfflineAudioContext)) return;
  const files = [...document.querySelectorAll("#files .stretch")];
  const picks = [...deck.querySelectorAll("[data-excerpt]")];
  const sideButtons = [...deck.querySelectorAll("[data-side]")];
  const [play, seek, time, status, keys] = ["play", "seek", "time", "status", "keys"].map((id) => document.getElementById(id));
  const rate = Number(deck.dataset.rate);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  /* ---- sound ---- */

  const decoded = new Map();

  function decode(n) {
    if (!decoded.has(n)) {
      const context = new OfflineAudioContext(1, 1, rate);   // decodes without asking for a loudspeaker
      const one = (side) => {
        const data = files[n].querySelector(`audio[data-side=${side}]`).src.split(",")[1];
        return context.decodeAudioData(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)).buffer);
      };
      decoded.set(n, Promise.all(SIDES.map(one)).then(([before, after]) => ({ before, after })));
    }
    return decoded.get(n);
  }

  /* Both sides into one output; the side that is not heard runs along in silence. */
  function wire(context, sounds, side, when, offset) {
    const out = context.createGain();
    out.connect(context.destination);
    const graph = { out, gains: {}, sources: [], from: {}, to: side, at: -1 };
    for (const name of SIDES) {
      const source = context.createBufferSource(), gain = context.createGain();
      source.buffer = sounds[name];
      source.loop = true;
      source.loopEnd = Math.min(sounds.before.duration, sounds.after.duration);
      graph.from[name] = name === side ? 1 : 0;
      gain.gain.setValueAtTime(graph.from[name], 0);   // an event, so that a later ramp knows where it began
      source.connect(gain).connect(out);
      source.start(when, offset);
      graph.gains[name] = gain.gain;
      graph.sources.push(source);
    }
    return graph;
  }

  /* A straight crossfade: the sides are the same music at the same loudness, so gains add up to one.
     One that is still under way is ended where it has got to, on the line it was going. */
  function cross(graph, side, when) {
    const done = Math.min(1, Math.max(0, (when - graph.at) / FADE_S));
    for (const name of SIDES) {
      const now = graph.from[name] + done * ((name === graph.to ? 1 : 0) - graph.from[name]);
      graph.gains[name].cancelScheduledValues(when);
      graph.gains[name].linearRampToValueAtTime(now, when);
      graph.gains[name].linearRampToValueAtTime(name === side ? 1 : 0, when + FADE_S);
      graph.from[name] = now;
    }
    graph.to = side;
    graph.at = when;
  }

  async function render(n, switches, seconds) {
    const sounds = await decode(n);
    const context = new OfflineAudioContext(sounds.after.numberOfChannels, Math.round(seconds * rate), rate);
    const graph = wire(context, sounds, switches[0].side, 0, 0);
    for (const { at, side } of switches.slice(1)) cross(graph, side, at);
    return context.startRendering();
  }

  /* ---- transport ---- */

  let context = null, graph = null, side = "before", excerpt = 0, position = 0, begun = 0, length = 20, turn = 0;

  const where = () => (graph ? (context.currentTime - begun) % length : position);

  async function start() {
    const mine = ++turn;                       // a later press wins over a slow decoder
    context ??= new AudioContext({ sampleRate: rate });
    const [sounds] = await Promise.all([decode(excerpt), context.resume()]);
    if (mine !== turn) return;
    length = Math.min(sounds.before.duration, sounds.after.duration);
    position = Math.min(position, length - 0.05);
    const when = context.currentTime + 0.02;
    graph = wire(context, sounds, side, when, position);
    graph.out.gain.setValueAtTime(0, when);
    graph.out.gain.linearRampToValueAtTime(1, when + EDGE_S);
    begun = when - position;
    show();
    tick();
  }

  function stop() {
    turn++;
    if (!graph) return;
    position = Math.max(0, where());
    const now = context.currentTime;
    graph.out.gain.cancelScheduledValues(now);
    graph.out.gain.setValueAtTime(1, now);
    graph.out.gain.linearRampToValueAtTime(0, now + EDGE_S);
    graph.sources.forEach((source) => source.stop(now + EDGE_S));
    graph = null;
  }

  function fail(error) {
    deck.hidden = true;
    document.getElementById("files").hidden = false;
    console.warn("no A/B player here:", error);
  }

  const begin = () => start().catch(fail);

  function toggle() {
    if (graph) { stop(); show(); } else begin();
  }

  function choose(which) {
    side = which;
    if (graph) cross(graph, side, context.currentTime);
    show();
  }

  function pick(n) {
    const playing = Boolean(graph);
    stop();
    [excerpt, position] = [n, 0];
    if (playing) begin();
    show();
  }

  function jump(to) {
    const playing = Boolean(graph);
    stop();
    position = to;
    if (playing) begin();
    clock();
  }

  /* ---- what the page says ---- */

  const minutes = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

  function clock() {
    const at = Math.max(0, where());
    seek.value = at;
    seek.setAttribute("aria-valuetext", `${minutes(at)} of ${minutes(length)}`);
    time.textContent = `${minutes(at)} / ${minutes(length)}`;
  }

  function tick() {
    if (!graph) return;
    clock();
    if (calm.matches) setTimeout(tick, 500);
    else requestAnimationFrame(tick);
  }

  const press = (button, on) => button.setAttribute("aria-pressed", String(on));

  function show() {
    const { name, louder, down } = files[excerpt].dataset;
    picks.forEach((button, n) => press(button, n === excerpt));
    sideButtons.forEach((button) => press(button, button.dataset.side === side));
    press(play, Boolean(graph));
    play.textContent = graph ? "Pause" : "Play";
    const level = louder === side ? `turned down ${down} dB` : "at its own level";
    status.textContent = `${side === "before" ? "Before" : "After"}, ${name}: ${graph ? "playing" : "at rest"}, ${level}.`;
    clock();
  }

  /* ---- hands ---- */

  let clicked = null;   // a button pressed with the mouse leaves the space bar to the transport

  play.addEventListener("click", toggle);
  picks.forEach((button, n) => button.addEventListener("click", () => pick(n)));
  sideButtons.forEach((button) => button.addEventListener("click", () => choose(button.dataset.side)));
  seek.addEventListener("input", () => jump(Number(seek.value)));
  deck.addEventListener("pointerdown", (event) => { clicked = event.target.closest("button, label"); });

  const other = () => choose(side === "before" ? "after" : "before");
  const actions = { " ": toggle, x: other, b: () => choose("before"), a: () => choose("after") };
  picks.forEach((_, n) => { actions[n + 1] = () => pick(n); });
  const typing = "input:not([type=range], [type=checkbox]), textarea, select, [contenteditable]";
  const pressable = "button, a, summary, input[type=checkbox], audio";

  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") clicked = null;
    if (!keys.checked || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const target = event.target;
    if (target.closest?.(typing)) return;
    if (event.key === " " && target.closest?.(pressable) && target.closest("button, label") !== clicked) return;
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
  document.addEventListener("keyup", (event) => {
    // the browser presses a focused button when the space bar comes up: the transport has had it already
    if (event.key === " " && keys.checked && clicked && event.target.closest?.("button") === clicked) event.preventDefault();
  });

  document.getElementById("files").hidden = true;
  deck.hidden = false;
  show();
  window.daiwPlayer = { decode, render, state: () => ({ playing: Boolean(graph), side, excerpt, position: where() }) };
})();
