// The page of LatentWalk: ECG paper, buttons, measures. Over a kernel (anywidget calls `render`) or alone with frames made beforehand (`walk`).

const LEADS = ['I', 'II', 'III', 'aVR', 'aVL', 'aVF', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6']
const PAPER = '#fffaf7', FINE = '#f6d9d3', COARSE = '#e9aea4', INK = '#1d2430', GHOST = '#8fb0d3', NOTE = '#5b6470'   // as signals/draw
const PULSE = [[-8, 0], [-7, 0], [-7, 10], [-2, 10], [-2, 0], [-1, 0]]                                              // mm: 1 mV for 0.2 s
const HEAD = 26, FOOT = 22                                            // CSS pixels above and below the paper
const SHEETS = {                                                      // mm: height of a row, paper left of the traces, place of a lead's name from its trace's start
  '3x4': {row: 30, rows: 4, left: 10, name: [1.5, -11.5], traces: [...LEADS.map((_, k) => ({lead: k, row: k % 3, from: 2.5*Math.floor(k/3), to: 2.5*Math.floor(k/3) + 2.5})), {lead: 1, row: 3, from: 0, to: 10}]},
  '12x1': {row: 15, rows: 12, left: 20, name: [-18, 1.2], traces: LEADS.map((_, k) => ({lead: k, row: k, from: 0, to: 10}))},
}

// ---- drawing -------------------------------------------------------------------------------------------------------

function twelve(eight) {                                              // µV: I, II, V1 … V6, one after the other
  const n = eight.length/8, [I, II, ...chest] = Array.from({length: 8}, (_, k) => eight.subarray(k*n, k*n + n))
  const limb = (a, b) => { const out = new Float32Array(n); for (let i = 0; i < n; i++) out[i] = a*I[i] + b*II[i]; return out }
  return [I, II, limb(-1, 1), limb(-.5, -.5), limb(1, -.5), limb(-.5, 1), ...chest]
}

function fit(width, sheet) {                                     // all lengths in device pixels; 5 mm are a whole number of them, so that every box looks the same
  const dpr = window.devicePixelRatio || 1, wide = Math.floor(Math.max(280, width)*dpr), {row, rows, left: before} = SHEETS[sheet], box = Math.floor(wide/(before/5 + 51)), mm = box/5
  const across = Math.floor(wide/box), down = row*rows/5 + 1, left = Math.floor((wide - across*box)/2), top = Math.round(HEAD*dpr)
  return {dpr, wide, high: top + down*box + Math.round(FOOT*dpr), box, mm, across, down, left, top, x: left + before*mm, middle: r => top + (row*(r + .5) + 5)*mm}
}

function paper(g, sheet) {                                            // everything that does not move, once for each size
  const canvas = document.createElement('canvas'), c = canvas.getContext('2d'), right = g.left + g.across*g.box, bottom = g.top + g.down*g.box
  canvas.width = g.wide; canvas.height = g.high
  c.fillStyle = '#fff'; c.fillRect(0, 0, g.wide, g.high)
  c.fillStyle = PAPER; c.fillRect(g.left, g.top, right - g.left, bottom - g.top)
  const lines = (step, colour, wide) => {
    c.fillStyle = colour
    for (let k = 0; k <= g.across*5; k += step) c.fillRect(Math.round(g.left + k*g.mm), g.top, wide, bottom - g.top + wide)
    for (let k = 0; k <= g.down*5; k += step) c.fillRect(g.left, Math.round(g.top + k*g.mm), right - g.left + wide, wide)
  }
  if (g.mm >= 2.4*g.dpr) lines(1, FINE, Math.max(1, Math.round(.6*g.dpr)))   // closer together they would be a pink haze
  lines(5, COARSE, Math.max(1, Math.round(.8*g.dpr)))
  c.strokeStyle = c.fillStyle = INK; c.lineJoin = 'round'; c.lineWidth = pen(g); c.beginPath()
  for (const {row, from} of SHEETS[sheet].traces) {
    const x = g.x + 25*from*g.mm, y = g.middle(row)
    if (from) { c.moveTo(x, y - 4*g.mm); c.lineTo(x, y + 4*g.mm) }
    else PULSE.forEach(([px, py], k) => k ? c.lineTo(g.x + px*g.mm, y - py*g.mm) : c.moveTo(g.x + px*g.mm, y - py*g.mm))
  }
  c.stroke()
  return canvas
}

const pen = g => Math.max(1.15*g.dpr, .3*g.mm)
const font = (g, size, weight = '') => `${weight} ${size*g.dpr}px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif`

function ink(c, g, sheet, leads, rate, colour) {
  const step = 25*g.mm/rate, gain = .01*g.mm                          // pixels in a sample and in a µV
  c.strokeStyle = colour; c.lineWidth = pen(g); c.lineJoin = 'bevel'; c.beginPath()
  for (const {lead, row, from, to} of SHEETS[sheet].traces) {
    const trace = leads[lead], y = g.middle(row), first = Math.round(from*rate), last = Math.min(trace.length, Math.round(to*rate))
    c.moveTo(g.x + first*step, y - gain*trace[first])
    for (let i = first + 1; i < last; i++) c.lineTo(g.x + i*step, y - gain*trace[i])
  }
  c.stroke()
}

function words(c, g, sheet, s) {
  c.textBaseline = 'alphabetic'; c.textAlign = 'left'; c.fillStyle = INK
  c.font = font(g, 12.5, 600); c.fillText(s.title, g.left + 2*g.dpr, g.top - 9*g.dpr, g.wide - 2*g.left)
  c.font = font(g, sheet === '3x4' ? 13 : 12, 700); c.lineWidth = 3*g.dpr; c.strokeStyle = PAPER; c.lineJoin = 'round'
  const [right, down] = SHEETS[sheet].name
  for (const {lead, row, from} of SHEETS[sheet].traces) {
    const at = [LEADS[lead], g.x + (25*from + right)*g.mm, g.middle(row) + down*g.mm]
    c.strokeText(...at); c.fillText(...at)
  }
  c.font = font(g, 11.5); c.fillStyle = NOTE; const foot = g.high - 7*g.dpr
  if (s.ghost) c.fillText('pale blue: the start record', g.left + 2*g.dpr, foot)
  c.textAlign = 'right'; c.fillText(`25 mm/s   10 mm/mV   ${s.rate} Hz`, g.wide - g.left - 2*g.dpr, foot)
}

function lay(canvas, sheet) {                                         // the canvas as large as its page is wide, and paper to fit
  const width = canvas.parentElement.clientWidth, dpr = window.devicePixelRatio || 1, key = [width, dpr, sheet].join()
  if (canvas.key === key) return
  const g = fit(width, sheet)
  Object.assign(canvas, {g, key, paper: paper(g, sheet), width: g.wide, height: g.high})
  Object.assign(canvas.style, {width: `${g.wide/dpr}px`, height: `${g.high/dpr}px`})
}

function draw(canvas, s) {
  if (!canvas.parentElement.clientWidth || !s.ecg) return             // not on the page yet; the size observer calls again
  lay(canvas, s.sheet)
  const c = canvas.getContext('2d'), g = canvas.g
  c.drawImage(canvas.paper, 0, 0)
  if (s.ghost) ink(c, g, s.sheet, twelve(s.start), s.rate, GHOST)
  ink(c, g, s.sheet, twelve(s.ecg), s.rate, INK)
  words(c, g, s.sheet, s)
  canvas.dataset.drawn = 1 + Number(canvas.dataset.drawn || 0)
}

// ---- the board around it: the same in a notebook and in the documentation ---------------------------------------------

const CSS = `
.dsw { color: var(--jp-ui-font-color1, inherit); font: 13px/1.4 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; min-width: 0 }
.dsw-sheet { background: #fff; border-radius: 6px; overflow: hidden; box-shadow: 0 0 0 1px rgba(128, 110, 105, .28) }
.dsw canvas { display: block }
.dsw-bar { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; margin: 2px 0 8px }
.dsw-bar > span { flex: 1 1 4px }
.dsw button, .dsw-bar input { box-sizing: border-box; font: inherit; color: inherit; height: 28px; padding: 0 10px; border: 1px solid rgba(128, 128, 128, .45); border-radius: 5px; background: transparent; cursor: pointer; margin: 0 }
.dsw-bar input { width: 92px; cursor: text; margin-left: 5px }
.dsw button:hover:enabled { background: rgba(163, 45, 37, .09); border-color: #a32d25 }
.dsw button:focus-visible, .dsw input:focus-visible, .dsw summary:focus-visible { outline: 2px solid #a32d25; outline-offset: 1px }
.dsw button[aria-pressed=true] { background: #a32d25; border-color: #a32d25; color: #fff }
.dsw button[aria-pressed=true]:hover:enabled { background: #8a251e }
.dsw button:disabled { opacity: .45; cursor: default }
.dsw-warning { margin: 8px 0 0; padding: 5px 10px; border-left: 3px solid #c47f00; background: rgba(232, 170, 40, .16); border-radius: 0 4px 4px 0 }
.dsw-note { flex: 1 1 100%; margin: 0 }
.dsw-note:empty { display: none }
.dsw-measures { display: grid; grid-template-columns: repeat(auto-fit, minmax(70px, 1fr)); gap: 8px 4px; margin: 10px 0 10px }
.dsw-measures.stale :is(.now, .change) { opacity: .4 }
.dsw-measures div { border-left: 2px solid rgba(128, 128, 128, .25); padding-left: 8px; min-width: 0 }
.dsw-measures span { display: block; white-space: nowrap; font-variant-numeric: tabular-nums }
.dsw-measures .name { font-size: 11.5px; opacity: .75 }
.dsw-measures .now { font-size: 17px; font-weight: 600; line-height: 1.25 }
.dsw-measures small { font-size: 11px; font-weight: 400; opacity: .75 }
.dsw-measures .change { font-size: 12px }
.dsw-code { margin: 0 0 8px }
.dsw-code summary { cursor: pointer; width: max-content; opacity: .8 }
.dsw-code textarea { box-sizing: border-box; width: 100%; font: 12px/1.5 ui-monospace, Menlo, Consolas, monospace; color: inherit; background: rgba(128, 128, 128, .08); border: 1px solid rgba(128, 128, 128, .35); border-radius: 5px; padding: 6px 8px; resize: vertical; white-space: pre; overflow-x: auto }
.dsw-sliders { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 6px 24px; margin: 8px 0 }
.dsw-sliders label { display: grid; grid-template-columns: 7.2em 1fr 4.4em 5em; gap: 8px; align-items: center; white-space: nowrap }
.dsw-sliders input { width: 100%; min-width: 0; accent-color: #a32d25; margin: 0 }
.dsw-sliders output { font-variant-numeric: tabular-nums; text-align: right }
.dsw-sliders output:last-child { font-weight: 600; text-align: left }`

const BUTTONS = {   // name: [face, what it does]
  reset: ['Reset', 'All sliders back to 0'], random: ['Random', 'Another record: a new seed, the sliders stay'], undo: ['Undo', 'Take the last step back'],
  play: ['▶ Play', 'Move the slider touched last from −2 to +2 SD and back'], ghost: ['Ghost', 'Show the start record as a pale blue trace behind'],
  sheet: ['12 × 1', 'Every lead in full, or 3 × 4 with a rhythm strip'], '.png': ['PNG', 'Save the page as a picture'], '.hea': ['WFDB', 'Save the twelve leads as a WFDB record'],
  '.gif': ['GIF', 'Save the walk along the slider touched last as an animation'], copy: ['Copy code', 'Copy the Python lines that make this record']}

function make(tag, props = {}, ...children) { const e = Object.assign(document.createElement(tag), props); e.append(...children); return e }

function board(host, names, act) {
  const s = {}, button = {}, bar = make('div', {className: 'dsw-bar'}), canvas = make('canvas')
  const seed = make('input', {type: 'number', min: 0, step: 1, title: 'Seed of the record; Enter or the arrows show another', onchange: () => another(), onkeydown: e => { if (e.key === 'Enter') another() }})
  const seeded = make('label', {}, 'Seed', seed), warning = make('p', {className: 'dsw-warning', hidden: true}), note = make('div', {className: 'dsw-note'})
  const list = make('div', {className: 'dsw-measures'}), area = make('textarea', {readOnly: true, rows: 4, spellcheck: false})
  const code = make('details', {className: 'dsw-code', hidden: true}, make('summary', {}, 'Code'), area)
  bar.setAttribute('role', 'toolbar'); bar.setAttribute('aria-label', 'Latent walk'); canvas.setAttribute('role', 'img'); area.setAttribute('aria-label', 'Python code that makes this record')
  warning.setAttribute('role', 'status'); note.setAttribute('role', 'status'); list.setAttribute('role', 'list'); list.setAttribute('aria-label', 'Measures, and their change since the start')
  if (names.includes('seed')) bar.append(seeded)
  for (const name of names.filter(n => n !== 'seed')) {
    if (name === '|') { bar.append(make('span')); continue }
    const [face, title] = BUTTONS[name]
    bar.append(button[name] = make('button', {type: 'button', textContent: face, title, onclick: () => name === 'copy' ? copy() : act(name)}))
    button[name].setAttribute('aria-label', `${face.replace(/[▶⏸] /, '')}: ${title}`); button[name].dataset.do = name
  }
  bar.append(note)
  function another() { if (seed.value !== s.seed) act('seed', seed.value) }
  async function copy() {
    code.hidden = false; code.open = true
    try { await navigator.clipboard.writeText(s.code); note.textContent = 'Copied the code.' }
    catch { area.focus(); area.select(); note.textContent = 'The browser does not allow copying here: the code is selected below, press Ctrl+C (⌘C).' }
  }
  function press(name, on, face) { if (button[name]) { button[name].setAttribute('aria-pressed', on); if (face) button[name].textContent = face } }
  function show(news) {
    const changed = Object.keys(news).filter(k => news[k] !== s[k]); Object.assign(s, news)
    const did = (...keys) => keys.some(k => changed.includes(k))
    if (did('ecg', 'start', 'sheet', 'ghost', 'title') && (s.ghost || did('ecg', 'sheet', 'ghost', 'title'))) draw(canvas, s)
    if (did('ecg')) list.classList.add('stale')
    if (did('measures')) { list.classList.remove('stale'); list.replaceChildren(...s.measures.slice(1).map(cell)) }
    if (did('measures', 'title')) canvas.setAttribute('aria-label', `${s.title}; twelve leads, ten seconds; ` + (s.measures || []).slice(1).map(([name, now, unit]) => `${name} ${now} ${unit}`).join(', '))
    if (did('seed')) { seeded.hidden = s.seed == null; seed.value = s.seed ?? '' }
    if (did('code')) { area.value = s.code; area.rows = s.code.split('\n').length }
    if (did('warning')) { warning.hidden = !s.warning; warning.textContent = s.warning ? `⚠ ${s.warning}` : '' }
    if (did('note')) note.textContent = s.note
    if (did('undo') && button.undo) button.undo.disabled = !s.undo
    if (did('playing')) press('play', !!s.playing, s.playing ? '⏸ Pause' : '▶ Play')
    if (did('ghost')) press('ghost', !!s.ghost)
    if (did('sheet')) press('sheet', s.sheet === '12x1')
    if (did('touched')) for (const name of ['play', '.gif']) if (button[name]) button[name].title = BUTTONS[name][1].replace('the slider touched last', `“${s.touched}”`)
  }
  const cell = ([name, now, unit, change]) => make('div', {role: 'listitem'}, make('span', {className: 'name'}, name), make('span', {className: 'now'}, now, ...(unit === '°' ? [unit] : [' ', make('small', {}, unit)])), make('span', {className: 'change', title: 'since the start'}, change))
  const sheet = make('div', {className: 'dsw-sheet'}, canvas), size = new ResizeObserver(() => { if (canvas.key !== [sheet.clientWidth, window.devicePixelRatio || 1, s.sheet].join()) draw(canvas, s) })
  const root = make('div', {className: 'dsw'}, make('style', {textContent: CSS}), bar, code, sheet, warning, list)
  root.dataset.lmSuppressShortcuts = 'true'                            // Enter and letters are ours here, not JupyterLab's
  host.append(root); size.observe(sheet)
  return {show, root, s, list, stop: () => size.disconnect()}
}

// ---- over a kernel -----------------------------------------------------------------------------------------------------

const samples = view => new Int16Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength))

function render({model, el}) {
  const panel = board(el, ['seed', 'random', 'reset', 'undo', 'play', '|', 'ghost', 'sheet', '|', '.png', '.hea', '.gif', 'copy'], act), kept = {}
  function act(name, value) {
    if (name === 'ghost' || name === 'sheet') { model.set(name, name === 'ghost' ? !model.get('ghost') : model.get('sheet') === '3x4' ? '12x1' : '3x4'); model.save_changes() }
    else model.send(name[0] === '.' ? {do: 'save', value: name} : {do: name, value})
  }
  const wave = name => { const view = model.get(name); if (kept[name]?.view !== view) kept[name] = {view, samples: samples(view)}; return kept[name].samples }
  // ipywidgets leaves the handles of its sliders without a name
  const name = () => document.querySelectorAll('.dsw-controls .widget-slider').forEach(s => s.querySelector('.noUi-handle')?.setAttribute('aria-label', `${s.querySelector('.widget-label')?.textContent}, standard deviations`))
  const update = () => { name(); panel.show({ecg: wave('ecg'), start: wave('start'), sheet: model.get('sheet'), ghost: model.get('ghost'), measures: model.get('measures'), rate: 500, ...model.get('said')}) }
  model.on('change', update); update()
  const noFiles = receiveFiles(model)
  const naming = setTimeout(name, 500)                               // if the sliders came later than the page
  return () => { model.off('change', update); noFiles(); clearTimeout(naming); panel.stop() }
}

// ---- alone, with frames made beforehand -----------------------------------------------------------------------------------

async function unpack(text, frames, samples) {                        // deflated: first the low, then the high bytes of the differences from sample to sample
  const packed = Uint8Array.from(atob(text), c => c.charCodeAt(0))
  const bytes = new Uint8Array(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'))).arrayBuffer())
  const half = bytes.length/2, all = new Int16Array(half)
  for (let i = 0; i < half; i++) all[i] = (i % samples ? all[i - 1] : 0) + (bytes[i] | bytes[half + i] << 8)
  return Array.from({length: frames}, (_, k) => all.subarray(k*8*samples, (k + 1)*8*samples).map(v => v*2))   // steps of 2 µV
}

async function walk(host, data) {
  const waves = await unpack(data.waves, data.frames.length, data.samples), zero = (data.steps.length - 1)/2
  const panel = board(host, ['reset', 'play', '|', 'ghost', 'sheet', '|', 'copy'], act), sliders = make('div', {className: 'dsw-sliders'})
  let touched = 0, timer = null, by = 1, at = zero
  const rows = data.controls.map((control, k) => {
    const input = make('input', {type: 'range', min: data.steps[0], max: data.steps.at(-1), step: data.steps[1] - data.steps[0], value: 0, oninput: () => { stop(); go(k, data.steps.indexOf(Number(input.value))) }})
    const out = make('output'), found = make('output')
    sliders.append(make('label', {}, control.label, input, out, found))
    return {input, out, found}
  })
  panel.list.after(sliders)
  function go(k, step) {                                              // one control at a time: the others go back to 0
    touched = k; at = step
    const control = data.controls[k], i = control.frames[step], frame = data.frames[i]
    rows.forEach((row, j) => { const sd = j === k ? data.steps[step] : 0; row.input.value = sd; row.out.textContent = `${sd > 0 ? '+' : sd < 0 ? '−' : ''}${Math.abs(sd)} SD`; row.found.textContent = frame.found[j] })
    panel.show({ecg: waves[i], start: waves[0], rate: data.rate, touched: control.label, ...frame})
  }
  function stop() { clearInterval(timer); timer = null; panel.show({playing: false}) }
  function tick() {
    if (!host.isConnected) return stop()
    if (at + by < 0 || at + by >= data.steps.length) by = -by
    go(touched, at + by)
  }
  function act(name) {
    if (name === 'ghost') panel.show({ghost: !panel.s.ghost})
    else if (name === 'sheet') panel.show({sheet: panel.s.sheet === '3x4' ? '12x1' : '3x4'})
    else if (name === 'reset') { stop(); go(touched, zero) }
    else if (timer) stop()
    else { timer = setInterval(tick, 220); panel.show({playing: true}) }
  }
  panel.show({sheet: '3x4', ghost: false}); go(0, zero)
}

export default {render, walk}
