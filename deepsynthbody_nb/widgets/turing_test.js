// The pages of TuringTest and ClassBoard. Python puts it behind latent_walk.js: paper, traces, lead names, `make` and the looks of buttons come from there.

const READING = `
.dst:focus { outline: none }
.dst h3 { margin: 0 0 2px; font-size: 16px } .dst p { margin: 4px 0 8px }
.dst-view { overflow: auto; max-height: 72vh; background: #fff; border-radius: 6px; box-shadow: 0 0 0 1px rgba(128, 110, 105, .28); position: relative; touch-action: none }
.dst-view.picture { background: #000; text-align: center; touch-action: auto }
.dst-view img { image-rendering: auto; display: inline-block }
.dst-caliper { position: absolute; border: 1px solid #1f5fa8; background: rgba(31, 95, 168, .12); pointer-events: none }
.dst-bar, .dst-answer { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; margin: 8px 0 }
.dst-answer fieldset { border: 1px solid rgba(128, 128, 128, .45); border-radius: 6px; padding: 2px 10px 7px; margin: 0; display: flex; gap: 4px 12px; flex-wrap: wrap }
.dst-answer legend { font-size: 11.5px; opacity: .8 }
.dst input[type=text] { font: inherit; color: inherit; background: transparent; border: 1px solid rgba(128, 128, 128, .45); border-radius: 5px; height: 28px; padding: 0 8px; box-sizing: border-box }
.dst-answer input[type=text] { flex: 1 1 200px }
.dst label { display: inline-flex; gap: 4px; align-items: center; cursor: pointer }
.dst progress { width: 160px; height: 8px; accent-color: #a32d25 }
.dst table { border-collapse: collapse; font-variant-numeric: tabular-nums } .dst th, .dst td { text-align: left; padding: 2px 12px 2px 0; border-bottom: 1px solid rgba(128, 128, 128, .25) }
.dst-note { color: #a32d25; min-height: 1.4em; margin: 0 }
.dst-send { font-weight: 600 }`

function choice(name, entries, chosen) {                              // radio buttons; `chosen` is told
  return entries.map(([value, face]) => make('label', {}, make('input', {type: 'radio', name, value, onchange: () => chosen(value)}), face))
}

// ---- what is looked at ---------------------------------------------------------------------------------------------

function paperView(s) {
  let zoom = 1, sheet = '3x4', from = null
  const canvas = make('canvas'), box = make('div', {className: 'dst-view'}), inner = make('div', {}, canvas), told = make('output')
  const caliper = make('div', {className: 'dst-caliper', hidden: true})
  inner.style.position = 'relative'; inner.append(caliper); box.append(inner)
  canvas.setAttribute('role', 'img'); canvas.setAttribute('aria-label', `${s.title}; twelve leads`)
  const redraw = () => { inner.style.width = `${100*zoom}%`; draw(canvas, {ecg: s.ecg, rate: s.rate, title: s.title, sheet}); caliper.hidden = true; told.textContent = '' }
  const place = e => { const r = inner.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top] }
  inner.onpointerdown = e => { from = place(e); inner.setPointerCapture(e.pointerId); e.preventDefault() }
  inner.onpointermove = e => {
    if (!from || !canvas.g) return
    const to = place(e), mm = canvas.g.mm/canvas.g.dpr, [wide, high] = [Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])]
    Object.assign(caliper.style, {left: `${Math.min(from[0], to[0])}px`, top: `${Math.min(from[1], to[1])}px`, width: `${wide}px`, height: `${high}px`})
    caliper.hidden = false
    told.textContent = `${Math.round(1000*wide/(25*mm))} ms, ${(high/(10*mm)).toFixed(2)} mV`
  }
  inner.onpointerup = () => { from = null }
  const by = (face, title, change) => make('button', {type: 'button', textContent: face, title, onclick: () => { change(); redraw() }})
  const bar = make('div', {className: 'dst-bar'}, by('−', 'Smaller', () => zoom = Math.max(1, zoom/1.25)), by('+', 'Larger', () => zoom = Math.min(4, zoom*1.25)),
    by('3 × 4 / 12 × 1', 'Another arrangement of the leads', () => sheet = sheet === '3x4' ? '12x1' : '3x4'), make('span', {}, 'Drag to measure:'), told)
  const size = new ResizeObserver(redraw); size.observe(box)
  return {parts: [bar, box], stop: () => size.disconnect()}
}

function pictureView(s) {
  const url = URL.createObjectURL(new Blob([s.shown], {type: 'image/png'})), image = make('img', {src: url, alt: s.title, draggable: false})
  const box = make('div', {className: 'dst-view picture'}, image), slider = (label, min, max, value) => { const input = make('input', {type: 'range', min, max, step: .05, value, oninput: show}); return [make('label', {}, label, input), input] }
  const [a, zoom] = slider('Zoom', 1, 6, 2), [b, level] = slider('Brightness', .3, 3, 1), [c, width] = slider('Contrast', .3, 4, 1)
  function show() { image.style.width = `${zoom.value*256}px`; image.style.filter = `brightness(${level.value}) contrast(${width.value})` }
  show()
  return {parts: [make('div', {className: 'dst-bar'}, a, b, c), box], stop: () => URL.revokeObjectURL(url)}
}

// ---- a reader ------------------------------------------------------------------------------------------------------

function reader({model, el}) {
  const root = make('div', {className: 'dsw dst'}), head = make('div'), body = make('div'), note = make('p', {className: 'dst-note'})
  note.setAttribute('role', 'status'); root.dataset.lmSuppressShortcuts = 'true'
  root.append(make('style', {textContent: CSS + READING}), head, body, note); el.append(root)
  let view = null, said = {}, keys = null

  function begin(s) {
    const name = make('input', {type: 'text', maxLength: 60, placeholder: 'a name or a code', onkeydown: e => { if (e.key === 'Enter') go(false) }})
    const go = again => model.send({do: 'begin', reader: name.value, again})
    name.value = s.reader || ''; name.setAttribute('aria-label', 'Your name or code')
    head.replaceChildren(make('h3', {}, s.question), make('p', {}, `${s.of} records, one after the other. Say of each what you think, and how sure you are. You may stop at any time and go on later under the same name.`))
    body.replaceChildren(make('div', {className: 'dst-bar'}, name, make('button', {type: 'button', className: 'dst-send', textContent: 'Begin', onclick: () => go(false)}),
      ...(s.taken ? [make('button', {type: 'button', textContent: `I am ${s.reader}: go on`, onclick: () => go(true)})] : [])))
  }

  function read(s) {
    const start = performance.now(), comment = make('input', {type: 'text', maxLength: 2000, placeholder: 'a remark (optional)'}), send = make('button', {type: 'button', className: 'dst-send', textContent: 'Next', disabled: true})
    said = {}
    const enough = () => { send.disabled = said.synthetic == null || said.confidence == null || (s.diagnoses.length > 0 && !said.diagnosis) }
    const group = (title, name, entries, key, turn) => make('fieldset', {}, make('legend', {}, title), ...choice(`${name}`, entries, v => { said[key] = turn(v); enough() }))
    const parts = [group(s.question, 'truth', [['real', 'real'], ['synthetic', 'synthetic']], 'synthetic', v => v === 'synthetic'),
      group('How sure?', 'sure', [[1, '1 guessed'], [2, '2'], [3, '3'], [4, '4'], [5, '5 certain']], 'confidence', Number),
      ...(s.diagnoses.length ? [group('Diagnosis', 'diagnosis', s.diagnoses.map(d => [d, d]), 'diagnosis', String)] : []), ...(s.comments ? [comment] : [])]
    send.onclick = () => { send.disabled = true; model.send({do: 'answer', item: s.item, ...said, comment: comment.value, seconds: (performance.now() - start)/1000}) }
    const form = make('div', {className: 'dst-answer'}, ...parts, send)
    view = s.kind === 'ecg' ? paperView(s) : pictureView(s)
    const bar = make('progress', {max: s.of, value: s.answered}); bar.setAttribute('aria-label', 'Progress')
    head.replaceChildren(make('div', {className: 'dst-bar'}, make('strong', {}, s.title), bar))
    body.replaceChildren(...view.parts, form)
    keys = e => {                                                     // R, S, 1 to 5 and Enter, unless a remark is being written
      if (e.target === comment && e.key !== 'Enter') return
      const pick = {r: 'input[value=real]', s: 'input[value=synthetic]'}[e.key.toLowerCase()] || (/^[1-5]$/.test(e.key) ? `input[name=sure][value="${e.key}"]` : null)
      if (pick) form.querySelector(pick).click()
      else if (e.key === 'Enter' && !send.disabled && e.target !== send) send.click()
    }
    root.tabIndex = -1; root.onkeydown = keys; root.focus({preventScroll: true})
  }

  function done(s) {
    head.replaceChildren(make('h3', {}, `Thank you, ${s.reader}.`), make('p', {}, s.sentence))
    const head_ = ['Record', 'It was', 'You said', 'Sure'].map(t => make('th', {scope: 'col'}, t))
    body.replaceChildren(make('table', {}, make('thead', {}, make('tr', {}, ...head_)), make('tbody', {}, ...s.rows.map(r => make('tr', {}, ...r.map((v, k) => make('td', {}, k === 2 && r[1] !== r[2] ? make('strong', {}, v) : String(v))))))))
  }

  function update() {
    const s = {...model.get('state')}; note.textContent = s.note || ''
    const key = [s.phase, s.item, s.round, s.answered, s.taken, s.reader].join()
    if (root.dataset.key === key) return
    view?.stop(); view = null; root.onkeydown = null
    if (s.phase === 'read') { const bytes = model.get('shown'); s.shown = bytes; if (s.kind === 'ecg') s.ecg = samples(bytes) }
    ;({name: begin, read, done})[s.phase](s)
    root.dataset.key = key; root.dataset.phase = s.phase; root.dataset.answered = s.answered
  }
  model.on('change', update); update()
  return () => { model.off('change', update); view?.stop() }
}

// ---- the teacher ---------------------------------------------------------------------------------------------------

function teacher({model, el}) {
  const root = make('div', {className: 'dsw dst'}), list = make('div'), found = make('div')
  const show = make('button', {type: 'button', textContent: 'Show the results', onclick: () => model.send({do: 'results'})})
  root.append(make('style', {textContent: CSS + READING}), make('div', {className: 'dst-bar'}, show), list, found); el.append(root)
  const percent = v => v == null ? '–' : `${Math.round(100*v)} %`
  function update() {
    const rows = model.get('rows')
    list.replaceChildren(make('table', {}, make('thead', {}, make('tr', {}, ...['Reader', 'Answered', '', 'Right'].map(t => make('th', {scope: 'col'}, t)))),
      make('tbody', {}, ...rows.map(([name, n, of, right]) => make('tr', {}, make('td', {}, name), make('td', {}, `${n} of ${of}`), make('td', {}, make('progress', {max: of, value: n})), make('td', {}, percent(right)))))))
    root.dataset.answers = rows.reduce((sum, r) => sum + r[1], 0)
    found.innerHTML = model.get('found')
  }
  model.on('change', update); update()
  const look = setInterval(() => model.send({do: 'look'}), 1000*model.get('every'))
  return () => { model.off('change', update); clearInterval(look) }
}

export default {render: given => given.model.get('role') === 'teacher' ? teacher(given) : reader(given)}
