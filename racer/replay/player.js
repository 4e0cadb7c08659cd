// Plays laps in a browser: a canvas with the road and one car for each lap, and controls below it.
//
// racerPlayer(place, data) builds a player inside the element `place`. `data` is what racer.replay.player_data gives:
//   {name, left: [[x, y], ...], right: [...], center: [...], laps: [{name, note, start, x, y, heading, speed}, ...]}
// in centimetres, degrees and cm/s, one value for each step of 1/15 s; `start` is the lap's time at the first step, ms.
// Text is only ever set as textContent. Nothing is fetched.
"use strict";

function racerPlayer(place, data) {
  const STEP_MS = 1000 / 15;
  const COLOURS = ["#e6482e", "#2e7de6", "#2ea44f", "#c77d00", "#8e44ad", "#008b8b", "#d6336c", "#6b7b00", "#5c5cd6", "#7a5230"];
  const CAR = {ahead: 27, behind: 9, half: 9.5}; // cm, from the middle of the rear axle

  const make = (tag, parent, text, name) => {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    if (name) element.className = name;
    return parent.appendChild(element);
  };
  const canvas = make("canvas", place);
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Laps on ${data.name}; space plays and pauses, arrows seek`);
  const bar = make("div", place, "", "player-bar");
  const play = make("button", bar, "Play");
  const seek = make("input", bar);
  seek.type = "range";
  seek.min = 0;
  seek.step = 1;
  seek.setAttribute("aria-label", "Time");
  const clock = make("output", bar, "0.000 s");
  const pace = make("select", bar);
  pace.setAttribute("aria-label", "Speed of playing");
  for (const factor of [0.25, 0.5, 1, 2, 4]) {
    const option = make("option", pace, `${factor}×`);
    option.value = factor;
    option.selected = factor === 1;
  }
  const list = make("ul", place, "", "player-laps");
  const laps = data.laps.map((lap, number) => {
    const item = make("li", list);
    const label = make("label", item);
    const box = make("input", label);
    box.type = "checkbox";
    box.checked = number < 3;
    const dot = make("span", label, "●", "player-dot");
    const colour = COLOURS[number % COLOURS.length];
    dot.style.color = colour;
    make("span", label, lap.name, "player-name");
    make("span", label, lap.note, "player-note");
    const pace = make("span", label, "", "player-note");
    box.addEventListener("change", draw);
    return {...lap, colour, box, pace, ends: lap.start + (lap.x.length - 1) * STEP_MS};
  });
  const end = Math.ceil(Math.max(0, ...laps.map((lap) => lap.ends)));
  seek.max = end;

  let now = 0;
  let last = null; // when the last frame was drawn; null while paused

  // The road fills the canvas, the larger side of it along the width.
  const points = [...data.left, ...data.right];
  const range = (axis) => [Math.min(...points.map((p) => p[axis])), Math.max(...points.map((p) => p[axis]))];
  const [left, right] = range(0);
  const [bottom, top] = range(1);
  const margin = 30;
  const width = right - left + 2 * margin;
  const height = top - bottom + 2 * margin;

  function path(context, line) {
    line.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
  }

  function at(lap, time) {
    const place = Math.min(Math.max((time - lap.start) / STEP_MS, 0), lap.x.length - 1);
    const k = Math.min(Math.floor(place), lap.x.length - 2);
    const share = place - k;
    const between = (values) => values[k] + share * (values[k + 1] - values[k]);
    const turn = ((((lap.heading[k + 1] - lap.heading[k] + 180) % 360) + 360) % 360) - 180;
    return {
      k: k + share,
      x: between(lap.x),
      y: between(lap.y),
      heading: ((lap.heading[k] + share * turn) * Math.PI) / 180,
      speed: between(lap.speed),
    };
  }

  function draw() {
    const style = getComputedStyle(place);
    const colour = (name, other) => style.getPropertyValue(name).trim() || other;
    const ratio = window.devicePixelRatio || 1;
    const shown = place.clientWidth || 600;
    const scale = Math.min(shown / width, 520 / height);
    canvas.width = Math.round(shown * ratio);
    canvas.height = Math.round(height * scale * ratio);
    canvas.style.height = `${height * scale}px`;
    const context = canvas.getContext("2d");
    const aside = (shown - width * scale) / 2;
    context.setTransform(
      scale * ratio, 0, 0, -scale * ratio, (aside + (margin - left) * scale) * ratio, (top + margin) * scale * ratio,
    );
    context.fillStyle = colour("--road", "#777");
    context.beginPath();
    path(context, data.left);
    path(context, data.right);
    context.fill("evenodd");
    context.lineWidth = 3;
    context.strokeStyle = colour("--border", "#fff");
    for (const line of [data.left, data.right]) {
      context.beginPath();
      path(context, line);
      context.stroke();
    }
    context.setLineDash([20, 20]);
    context.strokeStyle = colour("--line", "#fc0");
    context.beginPath();
    path(context, data.center);
    context.stroke();
    context.setLineDash([]);
    for (const lap of laps) {
      lap.pace.textContent = "";
      if (!lap.box.checked || lap.x.length < 2) continue;
      const car = at(lap, now);
      lap.pace.textContent = `${(car.speed / 100).toFixed(2)} m/s`;
      context.strokeStyle = lap.colour;
      context.lineWidth = 4;
      context.beginPath();
      for (let k = 0; k <= Math.floor(car.k); k++) {
        if (k) context.lineTo(lap.x[k], lap.y[k]);
        else context.moveTo(lap.x[k], lap.y[k]);
      }
      context.lineTo(car.x, car.y);
      context.stroke();
      context.save();
      context.translate(car.x, car.y);
      context.rotate(car.heading);
      context.fillStyle = lap.colour;
      context.strokeStyle = colour("--border", "#fff");
      context.lineWidth = 2;
      context.beginPath();
      context.rect(-CAR.behind, -CAR.half, CAR.ahead + CAR.behind, 2 * CAR.half);
      context.fill();
      context.stroke();
      context.restore();
    }
    seek.value = Math.round(now);
    clock.textContent = `${(now / 1000).toFixed(3)} s`;
  }

  function frame(moment) {
    if (last === null) return;
    now = Math.min(end, now + (moment - last) * Number(pace.value));
    last = moment;
    if (now >= end) stop();
    draw();
    if (last !== null) requestAnimationFrame(frame);
  }

  function stop() {
    last = null;
    play.textContent = "Play";
  }

  function toggle() {
    if (last !== null) return stop();
    if (now >= end) now = 0;
    play.textContent = "Pause";
    last = performance.now();
    requestAnimationFrame(frame);
  }

  function go(time) {
    now = Math.min(end, Math.max(0, time));
    draw();
  }

  play.addEventListener("click", toggle);
  seek.addEventListener("input", () => go(Number(seek.value)));
  canvas.addEventListener("keydown", (event) => {
    const steps = {ArrowLeft: -1, ArrowRight: 1, ArrowDown: -15, ArrowUp: 15};
    if (event.key === " ") toggle();
    else if (event.key in steps) go(now + steps[event.key] * STEP_MS);
    else return;
    event.preventDefault();
  });
  window.addEventListener("resize", draw);
  draw();
  return {go, toggle, end};
}

for (const place of document.querySelectorAll("[data-player]")) {
  racerPlayer(place, JSON.parse(document.getElementById(place.dataset.player).textContent));
}
