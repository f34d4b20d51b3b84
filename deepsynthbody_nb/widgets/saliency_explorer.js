// The page of SaliencyExplorer. Python puts it behind latent_walk.js: paper, traces, lead names, `make` and the looks of buttons come from there.

const FOR = '#e66101', AGAINST = '#2166ac', AMOUNT = '#5e3c99', BOTH = '#7d7d7d', UNREAD = '#9aa1aa'

// ---- the ECG under its wash ----------------------------------------------------------------------------------------

function sheets(layout, shown, read) {                                // names in SHEETS: all traces, those of leads that the network reads, the others
  const all = shown.join() === LEADS.join() ? layout : shown.join(), numbers = shown.map(lead => LEADS.indexOf(lead))
  SHEETS[all] ??= {row: 25, rows: shown.length, left: 20, name: [-18, 1.2], traces: numbers.map((lead, row) => ({lead, row, from: 0, to: 10}))}
  const known = new Set(read.map(lead => LEADS.indexOf(lead))), [own, other] = [`${all} read ${read}`, `${all} not ${read}`]
  SHEETS[own] ??= {...SHEETS[all], traces: SHEETS[all].traces.filter(t => known.has(t.lead))}
  SHEETS[other] ??= {...SHEETS[all], traces: SHEETS[all].traces.filter(t => !known.has(t.lead))}
  return {all, own, other}
}

function ribbon(c, g, sheet, leads, rate, wash, s) {                  // around the trace, as wide as it swings within 40 ms either way
  const gain = .01*g.mm, reach = Math.round(.04*rate), pad = 1.2*g.mm
  for (const {lead, row, from, to} of SHEETS[sheet].traces) {
    const trace = leads[lead], a = wash[LEADS[lead]], middle = g.middle(row), end = Math.min(to, trace.length/rate)
    for (let px = Math.round(g.x + 25*from*g.mm); px < Math.round(g.x + 25*end*g.mm); px++) {
      const t = (px + .5 - g.x)/(25*g.mm), at = t*s.wash_rate, k = Math.min(Math.floor(at), a.length - 2), v = (a[k] + (a[k + 1] - a[k])*Math.min(1, at - k))/127
      if (Math.abs(v) < .02) continue
      const i = Math.round(t*rate); let low = Infinity, high = -Infinity
      for (let j = Math.max(0, i - reach); j <= Math.min(trace.length - 1, i + reach); j++) { low = Math.min(low, trace[j]); high = Math.max(high, trace[j]) }
      c.globalAlpha = .85*Math.abs(v)**.7; c.fillStyle = s.unsigned ? AMOUNT : v > 0 ? FOR : AGAINST
      c.fillRect(px, middle - gain*high - pad, 1, gain*(high - low) + 2*pad)
    }
  }
  c.globalAlpha = 1
}

function legend(c, g, entries) {
  let x = g.left + 2*g.dpr; const y = g.high - 7*g.dpr
  c.textAlign = 'left'; c.font = font(g, 11.5)
  for (const [colour, text] of entries) {
    c.fillStyle = colour; c.fillRect(x, y - 9*g.dpr, 14*g.dpr, 10*g.dpr); x += 19*g.dpr
    c.fillStyle = NOTE; c.fillText(text, x, y); x += c.measureText(text).width + 16*g.dpr
  }
}

function colour(canvas, s, known, layout) {
  if (!canvas.parentElement.clientWidth || !s.shown) return           // not on the page yet; the size observer calls again
  const {all, own, other} = sheets(layout, known.leads, known.read)
  lay(canvas, all)
  const c = canvas.getContext('2d'), g = canvas.g, leads = twelve(s.ecg), target = s.shown[1], n = s.wash.length/known.read.length
  const wash = Object.fromEntries(known.read.map((lead, k) => [lead, s.wash.subarray(k*n, k*n + n)]))
  c.drawImage(canvas.paper, 0, 0)
  ribbon(c, g, own, leads, s.rate, wash, s)
  ink(c, g, other, leads, s.rate, UNREAD); ink(c, g, own, leads, s.rate, INK)
  words(c, g, all, s)
  legend(c, g, [...(s.unsigned ? [[AMOUNT, `how much ${target} depends on it`]] : [[FOR, `speaks for ${target}`], [AGAINST, 'against']]), ...(SHEETS[other].traces.length ? [[UNREAD, 'not read by the network']] : [])])
  canvas.dataset.drawn = 1 + Number(canvas.dataset.drawn || 0)
}

// ---- shares by lead and wave, and the deletion curve ------------------------------------------------------------------

function shares(table, s, known) {
  const most = Math.max(...s.shares.flat()) || 1, percent = v => `${Math.round(100*v)}`, sum = list => list.reduce((a, b) => a + b, 0)
  const head = (text, scope) => make('th', {scope}, text)
  const cell = (v, balance) => {
    const strength = v/most, hue = s.unsigned ? AMOUNT : balance > .2 ? FOR : balance < -.2 ? AGAINST : BOTH, td = make('td', {}, percent(v))
    td.style.background = `color-mix(in srgb, ${hue} ${Math.round(6 + 84*strength)}%, transparent)`
    if (strength > .7) td.style.color = '#fff'
    td.title = s.unsigned ? '' : balance > .2 ? 'speaks for the class' : balance < -.2 ? 'speaks against it' : 'for and against'
    return td
  }
  table.replaceChildren(make('caption', {}, 'Share of the attribution, %'), make('thead', {}, make('tr', {}, make('td'), ...known.waves.map(w => head(w === 'rest' ? 'between' : w, 'col')), head('all', 'col'))),
    make('tbody', {}, ...known.read.map((lead, r) => make('tr', {}, head(lead, 'row'), ...s.shares[r].map((v, k) => cell(v, s.balance[r][k])), make('td', {className: 'sum'}, percent(sum(s.shares[r])))))),
    make('tfoot', {}, make('tr', {}, head('all', 'row'), ...known.waves.map((_, k) => make('td', {className: 'sum'}, percent(sum(s.shares.map(row => row[k]))))), make('td'))))
}

function deletion(box, s) {
  const [, target, , baseline] = s.shown, d = s.deletion
  const title = make('div', {className: 'dsx-title'}, `Probability of ${target} without what matters most`)
  if (!d) return box.replaceChildren(title, make('div', {className: 'dsx-wait'}, 'asking the network again …'))
  const top = [.1, .2, .5, 1].find(v => Math.max(...d.map, ...d.random) <= v) ?? 1, X = v => 34 + 2*v*300, Y = v => 168 - v/top*156
  const line = (list, style) => `<polyline fill="none" ${style} points="${list.map((v, k) => `${X(d.removed[k])},${Y(v)}`).join(' ')}"/>`
  const ticks = [0, .5, 1].map(v => `<line x1="34" x2="334" y1="${Y(v*top)}" y2="${Y(v*top)}" stroke="currentColor" opacity=".15"/><text x="28" y="${Y(v*top) + 4}" text-anchor="end">${+(v*top).toFixed(2)}</text>`).join('')
  const [ours, chance] = d.areas.map(a => a.toFixed(2)), verdict = !s.shares.flat().some(Boolean) ? 'but an empty map puts nothing first' : d.areas[0] < d.areas[1] - .01 ? 'the map finds what the network uses' : 'no better than chance'
  const chart = make('div', {innerHTML: `<svg viewBox="0 0 344 204" role="img">${ticks}${[0, 25, 50].map(v => `<text x="${X(v/100)}" y="184" text-anchor="middle">${v}</text>`).join('')}
    <text x="184" y="200" text-anchor="middle">% of 40-ms lead blocks replaced</text>${line(d.random, 'stroke="currentColor" opacity=".55" stroke-width="1.6" stroke-dasharray="5 4"')}${line(d.map, `stroke="${s.unsigned ? AMOUNT : FOR}" stroke-width="2.4"`)}</svg>`})
  const key = (dash, text) => make('span', {className: dash ? 'dash' : ''}, text), keys = make('div', {className: 'dsx-keys'}, key(false, `this map: area ${ours}`), key(true, `random order: ${chance}`))
  keys.style.setProperty('--hue', s.unsigned ? AMOUNT : FOR)
  chart.firstChild.setAttribute('aria-label', `Deletion curve of ${target}: area ${ours} in the order of the map, ${chance} in random order`)
  box.replaceChildren(title, keys, chart, make('div', {className: 'dsx-verdict'}, `Replaced by: ${baseline}. Lower is better: ${verdict}.`))
}

// ---- the page -----------------------------------------------------------------------------------------------------------

const LOOKS = `
.dsx select { box-sizing: border-box; font: inherit; color: inherit; height: 28px; padding: 0 6px; border: 1px solid rgba(128, 128, 128, .45); border-radius: 5px; background: var(--jp-layout-color1, #fff); margin: 0 0 0 5px; cursor: pointer }
.dsx :is(select, input):focus-visible { outline: 2px solid #a32d25; outline-offset: 1px }
.dsx .dsw-bar { gap: 6px 10px }
.dsx-tools { display: flex; gap: 6px; margin-left: auto }
.dsx .dsx-tools button { padding: 0 8px }
.dsx .dsw-bar label { display: inline-flex; align-items: center; white-space: nowrap }
.dsx .dsw-bar input[type=checkbox] { width: 15px; height: 15px; margin: 0 6px 0 0; accent-color: #a32d25; cursor: pointer }
.dsx-classes { display: flex; flex-wrap: wrap; gap: 6px; border: 0; padding: 0; margin: 0 0 8px; min-width: 0 }
.dsx-classes label { position: relative; flex: 1 1 96px; display: flex; justify-content: space-between; align-items: center; height: 32px; padding: 0 10px 3px; box-sizing: border-box; border: 1px solid rgba(128, 128, 128, .45); border-radius: 5px; overflow: hidden; cursor: pointer }
.dsx-classes label:hover { border-color: #a32d25 }
.dsx-classes input { position: absolute; opacity: 0; inset: 0; margin: 0; cursor: pointer }
.dsx-classes label:has(:checked) { border-color: #a32d25; box-shadow: inset 0 0 0 1px #a32d25; font-weight: 600 }
.dsx-classes label:has(:focus-visible) { outline: 2px solid #a32d25; outline-offset: 1px }
.dsx-classes label::after { content: ""; position: absolute; left: 0; bottom: 0; height: 4px; width: calc(100%*var(--p, 0)); background: #7d8794; transition: width .2s }
.dsx-classes label:has(:checked)::after { background: #a32d25 }
.dsx-classes output { font-variant-numeric: tabular-nums }
.dsx-sentence { font-size: 15px; line-height: 1.4; margin: 2px 0 8px; min-height: 21px }
.dsx .dsw-warning { margin: 0 0 8px }
.dsx .dsw-sheet { position: relative }
.dsx-busy { position: absolute; top: 4px; right: 8px; padding: 1px 10px; border-radius: 10px; background: #1d2430; color: #fff; font-size: 12px; opacity: 0; visibility: hidden }
.busy .dsx-busy { opacity: 1; visibility: visible; transition: opacity 0s .15s, visibility 0s .15s }
.busy :is(canvas, .dsx-below, .dsx-sentence) { opacity: .55; transition: opacity .1s .3s }
.dsx-below { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 12px 36px; margin: 12px 0 4px; align-items: start }
.dsw.dsx table { border-collapse: separate; border-spacing: 2px; table-layout: fixed; width: 100%; max-width: 560px; font-size: 12.5px; font-variant-numeric: tabular-nums; margin: 0; border: 0 }
.dsw.dsx caption, .dsx-title { text-align: left; font-weight: 600; font-size: 13px; padding: 0 0 4px; color: inherit; caption-side: top }
.dsw.dsx tr { background: none !important }
.dsw.dsx :is(th, td) { text-align: center; padding: 3px 4px; border: 0; border-radius: 3px; font-weight: 400; max-width: none }
.dsw.dsx th { opacity: .8 } .dsw.dsx td.sum { opacity: .75 }
.dsx-curve svg { display: block; width: 100%; max-width: 400px; font-size: 11px; fill: currentColor }
.dsx-keys { display: flex; gap: 18px; flex-wrap: wrap; font-size: 12px }
.dsx-keys span::before { content: ""; display: inline-block; width: 20px; margin-right: 6px; vertical-align: 4px; border-top: 3px solid var(--hue) }
.dsx-keys .dash::before { border-top: 2px dashed; opacity: .55 }
.dsx-wait { opacity: .6; padding: 70px 0; text-align: center; max-width: 460px } .dsx-verdict { font-size: 12px; opacity: .85 }`

function explore({model, el}) {
  const known = model.get('known'), s = {}, fields = {}, set = (name, value) => { model.set(name, value); model.save_changes() }
  const bar = make('div', {className: 'dsw-bar'}), tools = make('div', {className: 'dsx-tools'}), canvas = make('canvas'), table = make('table'), curve = make('div', {className: 'dsx-curve'}), sentence = make('p', {className: 'dsx-sentence'})
  const caution = make('p', {className: 'dsw-warning', hidden: true}), note = make('div', {className: 'dsw-note'}), area = make('textarea', {readOnly: true, spellcheck: false})
  const code = make('details', {className: 'dsw-code', hidden: true}, make('summary', {}, 'Code'), area), classes = make('fieldset', {className: 'dsx-classes'})
  const choose = (name, face) => {
    fields[name] = make('select', {onchange: e => set(name, known[name][e.target.selectedIndex])}, ...known[name].map(v => make('option', {value: `${v}`}, known.words[v] ?? `${v}`)))
    fields[name].dataset.of = name; bar.append(make('label', {}, face, fields[name]))
  }
  choose('record', 'Record'); choose('method', 'Method'); choose('baseline', 'Baseline')
  const random = make('input', {type: 'checkbox', onchange: () => set('randomised', random.checked)})
  bar.append(make('label', {title: 'The same network with freshly initialised weights: it has learnt nothing'}, random, 'Random weights'), tools)
  const button = (name, face, title, onclick) => { const b = make('button', {type: 'button', title, onclick}, face); b.dataset.do = name; b.setAttribute('aria-label', `${face}: ${title}`); tools.append(b); return b }
  const flip = button('sheet', '12 × 1', 'Every lead in full, or 3 × 4 with a rhythm strip', () => { set('sheet', model.get('sheet') === '3x4' ? '12x1' : '3x4') })
  flip.hidden = known.leads.join() !== LEADS.join()
  button('save', 'PNG', 'Save the view as a picture', () => model.send({do: 'save'})); button('copy', 'Copy code', 'Copy the Python lines that make this map', copy); bar.append(note)
  const id = `dsx-${Math.random()}`                                    // two views of one widget do not share their radios
  const radios = known.target.map(name => {
    const input = make('input', {type: 'radio', name: id, value: name, onchange: () => set('target', name)}), out = make('output')
    classes.append(make('label', {}, input, name, out)); return {input, out}
  })
  classes.onkeydown = e => {                                           // JupyterLab takes the arrows from radio buttons
    const by = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[e.key], at = radios.findIndex(({input}) => input === e.target)
    if (!by || at < 0) return
    const {input} = radios.at((at + by) % radios.length)
    e.preventDefault(); e.stopPropagation(); input.focus(); input.click()
  }
  async function copy() {
    code.hidden = false; code.open = true
    try { await navigator.clipboard.writeText(s.code); note.textContent = 'Copied the code.' }
    catch { area.focus(); area.select(); note.textContent = 'The browser does not allow copying here: the code is selected below, press Ctrl+C (⌘C).' }
  }
  const aria = (e, role, label) => { e.setAttribute('role', role); if (label) e.setAttribute('aria-label', label) }
  aria(bar, 'toolbar', 'Saliency explorer'); aria(canvas, 'img'); aria(sentence, 'status'); aria(caution, 'status'); aria(note, 'status'); aria(classes, 'radiogroup', 'Class, with its probability'); area.setAttribute('aria-label', 'Python code that makes this map')
  const sheet = make('div', {className: 'dsw-sheet'}, canvas, make('div', {className: 'dsx-busy', ariaHidden: true}, 'computing …')), root = make('div', {className: 'dsw dsx'}, make('style', {textContent: CSS + LOOKS}), bar, classes, code, caution, sentence, sheet, make('div', {className: 'dsx-below'}, table, curve))
  root.dataset.lmSuppressShortcuts = 'true'                            // arrows and letters are ours here, not JupyterLab's
  const kept = {}, typed = (name, kind) => { const view = model.get(name); if (kept[name]?.view !== view) kept[name] = {view, list: new kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength))}; return kept[name].list }
  function update() {
    const before = {...s}, said = model.get('said')
    Object.assign(s, said, {ecg: typed('ecg', Int16Array), wash: typed('wash', Int8Array), sheet: model.get('sheet')})
    const did = (...names) => names.some(name => s[name] !== before[name])
    root.classList.toggle('busy', !!s.busy); root.setAttribute('aria-busy', !!s.busy)
    for (const name of ['record', 'method', 'baseline']) fields[name].selectedIndex = known[name].indexOf(model.get(name))
    random.checked = model.get('randomised'); flip.setAttribute('aria-pressed', s.sheet === '12x1')
    radios.forEach(({input, out}, k) => { input.checked = known.target[k] === model.get('target'); if (s.probabilities) { out.textContent = s.probabilities[k].toFixed(2); input.parentElement.style.setProperty('--p', s.probabilities[k]); input.setAttribute('aria-label', `${known.target[k]}, probability ${out.textContent}`) } })
    if (!s.shown) return                                               // nothing computed yet
    if (did('turn', 'sheet')) colour(canvas, s, known, s.sheet)
    if (did('shares', 'balance')) shares(table, s, known)
    if (did('deletion', 'shown')) deletion(curve, s)
    if (sentence.textContent !== s.sentence) sentence.textContent = s.sentence
    caution.hidden = !s.caution; caution.textContent = s.caution ? `⚠ ${s.caution}` : ''
    canvas.setAttribute('aria-label', `${s.title}; twelve leads; ${known.words[s.shown[2]]}: ${s.sentence}`)
    if (did('code')) { area.value = s.code; area.rows = s.code.split('\n').length }
    if (did('note')) note.textContent = s.note
  }
  const size = new ResizeObserver(() => { if (s.shown && !canvas.key?.startsWith([sheet.clientWidth, window.devicePixelRatio || 1].join())) colour(canvas, s, known, s.sheet) })
  el.append(root); size.observe(sheet); model.on('change', update); update()
  const noFiles = receiveFiles(model)
  return () => { model.off('change', update); noFiles(); size.disconnect() }
}

export default {render: explore}
