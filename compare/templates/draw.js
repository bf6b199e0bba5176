// Draw a digit or pick one; both models answer. The models take what twin/data/digits.py makes: 8x8 pixels, enlarged.
const SIZE = 32, CELLS = 8, INK = 22;
const canvas = document.getElementById("drawing"), pen = canvas.getContext("2d", {willReadFrequently: true});
const answer = document.getElementById("answer"), shares = document.getElementById("shares");
let sessions = [], ort = null, drawn = false;

const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));

async function load() {
  const stream = new Blob([bytes(WASM)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const wasm = await new Response(stream).arrayBuffer();
  ort = await import(URL.createObjectURL(new Blob([RUNTIME], {type: "text/javascript"})));
  Object.assign(ort.env.wasm, {wasmBinary: wasm, numThreads: 1});
  sessions = [];
  for (const model of MODELS) {
    sessions.push(await ort.InferenceSession.create(bytes(model.file), {executionProviders: ["wasm"]}));
  }
}

// The strokes in their box, as large as it goes in 32x32 without being stretched; then the share of ink of each cell.
function cells() {
  const {width, height} = canvas, pixels = pen.getImageData(0, 0, width, height).data;
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    if (pixels[4 * (y * width + x) + 3] > 127) {
      left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
  }
  const small = Object.assign(document.createElement("canvas"), {width: SIZE, height: SIZE}).getContext("2d");
  const scale = SIZE / Math.max(right - left + 1, bottom - top + 1);
  const [w, h] = [(right - left + 1) * scale, (bottom - top + 1) * scale];
  small.drawImage(canvas, left, top, right - left + 1, bottom - top + 1, (SIZE - w) / 2, (SIZE - h) / 2, w, h);
  const ink = small.getImageData(0, 0, SIZE, SIZE).data, step = SIZE / CELLS;
  return Array.from({length: CELLS * CELLS}, (_, place) => {
    let count = 0;
    for (let y = 0; y < step; y++) for (let x = 0; x < step; x++) {
      const row = Math.floor(place / CELLS) * step + y, column = (place % CELLS) * step + x;
      count += ink[4 * (row * SIZE + column) + 3] > 127;
    }
    return count;
  });
}

// Bilinear, as scipy.ndimage.zoom(order=1, grid_mode=True, mode="nearest").
function enlarged(small) {
  const at = (row, column) => small[row * CELLS + column] / 16;
  const place = index => {
    const x = Math.min(Math.max((index + 0.5) * CELLS / SIZE - 0.5, 0), CELLS - 1), low = Math.floor(x);
    return [low, Math.min(low + 1, CELLS - 1), x - low];
  };
  const out = new Float32Array(SIZE * SIZE);
  for (let y = 0; y < SIZE; y++) for (let x = 0; x < SIZE; x++) {
    const [top, bottom, down] = place(y), [left, right, along] = place(x);
    const above = at(top, left) * (1 - along) + at(top, right) * along;
    const below = at(bottom, left) * (1 - along) + at(bottom, right) * along;
    out[y * SIZE + x] = above * (1 - down) + below * down;
  }
  return out;
}

// Each model's logits for 8x8 cells of ink, from 0 to 16.
async function logits(small) {
  const x = enlarged(small), found = [];
  for (const [place, session] of sessions.entries()) {
    const shape = MODELS[place].channelsLast ? [1, SIZE, SIZE, 1] : [1, 1, SIZE, SIZE];
    const outputs = await session.run({[session.inputNames[0]]: new ort.Tensor("float32", x, shape)});
    found.push(Array.from(outputs[session.outputNames[0]].data));
  }
  return found;
}

async function tell(small) {
  try {
    show(await logits(small));
  } catch (error) {
    answer.textContent = `${answer.dataset.none} ${error.message}`;
  }
}

function show(all) {
  const softmax = values => {
    const powers = values.map(value => Math.exp(value - Math.max(...values)));
    return powers.map(power => power / powers.reduce((a, b) => a + b));
  };
  const parts = all.map(softmax), best = parts.map(each => each.indexOf(Math.max(...each)));
  const apart = Math.max(...all.flatMap(each => each.map((value, place) => Math.abs(value - all[0][place]))));
  const percent = share => `${(100 * share).toFixed(1)}%`;
  const filled = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);
  const one = (model, i) => filled(answer.dataset.one, {engine: model.engine, digit: best[i], share: percent(parts[i][best[i]])});
  answer.textContent = [...MODELS.map(one), filled(answer.dataset.apart, {distance: apart ? apart.toExponential(0) : 0})].join(" ");
  const row = (tag, words) => {
    const line = document.createElement("tr");
    line.append(...words.map((word, place) => {
      const cell = document.createElement(tag === "th" || place === 0 ? "th" : "td");
      cell.append(word);
      return cell;
    }));
    return line;
  };
  const bar = share => Object.assign(document.createElement("meter"), {value: share, title: percent(share)});
  const digits = all[0].map((_, digit) => {
    const line = row("td", [String(digit), ...parts.map(each => bar(each[digit]))]);
    line.querySelectorAll("meter").forEach((meter, i) => meter.setAttribute("aria-label", `${MODELS[i].engine}, ${digit}`));
    return line;
  });
  shares.replaceChildren(row("th", [answer.dataset.digit, ...MODELS.map(model => model.engine)]), ...digits);
}

function clear() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  drawn = false;
}

function position(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
}

canvas.addEventListener("pointerdown", event => {
  if (!drawn) clear();
  drawn = true;
  canvas.setPointerCapture(event.pointerId);
  pen.beginPath();
  pen.moveTo(...position(event));
});
canvas.addEventListener("pointermove", event => {
  if (!event.buttons) return;
  Object.assign(pen, {lineWidth: INK, lineCap: "round", lineJoin: "round", strokeStyle: "#1a4f9c"});
  pen.lineTo(...position(event));
  pen.stroke();
});
canvas.addEventListener("pointerup", () => tell(cells()));
document.getElementById("clear").addEventListener("click", () => { clear(); shares.replaceChildren(); answer.textContent = answer.dataset.draw; });

function pick(small) {
  clear();
  const step = canvas.width / CELLS;
  small.forEach((ink, place) => {
    pen.fillStyle = `rgb(26 79 156 / ${ink / 16})`;
    pen.fillRect((place % CELLS) * step, Math.floor(place / CELLS) * step, step, step);
  });
  return tell(small);
}

document.getElementById("pictures").append(...PICTURES.map((picture, digit) => {
  const button = Object.assign(document.createElement("button"), {type: "button", textContent: String(digit)});
  button.addEventListener("click", () => pick(picture));
  return button;
}));

const ready = load().then(
  () => { answer.textContent = answer.dataset.draw; },
  error => { answer.textContent = `${answer.dataset.unloaded} ${error.message}`; },
);
