// A bedside monitor: three curves that sweep, numbers, and sliders. Curves are fetched by `ask(settings, answer)`.
const COLOURS = ['#33d17a', '#ff6b5e', '#62a0ea']
const NAMES = ['ECG II', 'Pulse', 'Breath']
const SECONDS = 10, RATE = 125, AHEAD = 1.2

function monitor(host, known, ask, changed) {
  host.classList.add('dsb-monitor')
  host.innerHTML = `<style>
    .dsb-monitor {font: 13px/1.4 system-ui, sans-serif; max-width: 860px}
    .dsb-monitor canvas {width: 100%; height: 300px; background: #101418; border-radius: 6px; display: block}
    .dsb-monitor .row {display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: center; margin: 8px 0}
    .dsb-monitor label {display: inline-flex; gap: 6px; align-items: center}
    .dsb-monitor input[type=range] {width: 130px}
    .dsb-monitor output {min-width: 3.2em; font-variant-numeric: tabular-nums}
    .dsb-monitor button, .dsb-monitor select {font: inherit; padding: 3px 10px}
    .dsb-monitor .said {color: #777; font-size: 12px}</style>`
  const canvas = host.appendChild(document.createElement('canvas'))
  canvas.setAttribute('role', 'img')
  const tell = ([heart, pulse, breath]) => canvas.setAttribute('aria-label',
    `ECG, pulse and breath of a synthetic body; heart rate ${heart ?? 'unknown'}, pulse ${pulse ?? 'unknown'}, ` +
    `breaths ${breath ?? 'none'} a minute`)
  tell([])
  const buttons = host.appendChild(document.createElement('div')), sliders = host.appendChild(document.createElement('div'))
  const said = host.appendChild(document.createElement('div'))
  buttons.className = sliders.className = 'row'
  said.className = 'said'
  said.textContent = known.provenance
  const settings = {...known.start}, inputs = {}
  for (const [name, text, low, high, step] of known.sliders) {
    const label = sliders.appendChild(document.createElement('label'))
    const slider = document.createElement('input'), out = document.createElement('output')
    Object.assign(slider, {type: 'range', min: low, max: high, step, value: settings[name]})
    label.append(text, slider, out)
    const show = () => { out.textContent = (+slider.value).toFixed(step < 1 ? 1 : 0) }
    slider.oninput = () => { settings[name] = +slider.value; show(); changed(settings) }
    inputs[name] = value => { slider.value = value; show() }
    show()
  }
  for (const [name, preset] of Object.entries(known.presets)) {
    const button = buttons.appendChild(document.createElement('button'))
    button.textContent = name
    button.onclick = () => {
      Object.assign(settings, known.start, preset)
      for (const [key, set] of Object.entries(inputs)) set(settings[key])
      changed(settings, name)
    }
  }
  const pause = buttons.appendChild(document.createElement('button'))
  let running = true
  const showPause = () => { pause.textContent = running ? 'Pause' : 'Go on' }
  pause.onclick = () => { running = !running; showPause() }
  showPause()

  const samples = SECONDS * RATE
  const seen = NAMES.map(() => new Float32Array(samples).fill(NaN))
  let queue = [], asked = false, at = 0, carry = 0, last = null, numbers = []
  const ranges = [[-.8, 1.8], [-.5, 1.7], [-.3, 1.8]]

  function draw() {
    const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = 300
    if (canvas.width !== Math.round(width * scale)) { canvas.width = Math.round(width * scale); canvas.height = height * scale }
    const pen = canvas.getContext('2d'), plot = Math.max(width - 120, 50)
    pen.setTransform(scale, 0, 0, scale, 0, 0)
    pen.clearRect(0, 0, width, height)
    const gap = Math.round(.25 * RATE)
    NAMES.forEach((name, k) => {
      const top = k * 100, [low, high] = ranges[k]
      pen.strokeStyle = pen.fillStyle = COLOURS[k]
      pen.lineWidth = 1.6
      pen.beginPath()
      let down = false
      for (let i = 0; i < samples; i++) {
        const hole = (i - at + samples) % samples < gap
        const value = seen[k][i]
        if (hole || Number.isNaN(value)) { down = false; continue }
        const x = i / samples * plot, y = top + 96 - (value - low) / (high - low) * 92
        if (down) pen.lineTo(x, y); else pen.moveTo(x, y)
        down = true
      }
      pen.stroke()
      pen.font = '12px system-ui, sans-serif'
      pen.fillText(name, plot + 12, top + 22)
      pen.font = '600 34px system-ui, sans-serif'
      pen.fillText(numbers[k] ?? '–', plot + 12, top + 62)
      pen.font = '11px system-ui, sans-serif'
      pen.fillText(['beats/min', 'pulses/min', 'breaths/min'][k], plot + 12, top + 80)
    })
  }

  function step(now) {
    if (!host.isConnected) return
    if (last !== null && running) {
      carry += Math.min(now - last, 250) / 1000 * RATE
      while (carry >= 1 && queue.length && queue[0].from < queue[0].waves[0].length) {
        const part = queue[0]
        part.waves.forEach((wave, k) => { seen[k][at] = wave[part.from] })
        at = (at + 1) % samples
        carry -= 1
        if (++part.from === part.waves[0].length) { numbers = part.numbers; tell(numbers); queue.shift() }
      }
      if (carry > RATE) carry = 0
    }
    last = now
    const left = queue.reduce((sum, part) => sum + part.waves[0].length - part.from, 0)
    if (running && !asked && left < AHEAD * RATE) {
      asked = true
      ask(settings, (waves, told) => { queue.push({waves, numbers: told, from: 0}); asked = false })
    }
    draw()
    requestAnimationFrame(step)
  }
  requestAnimationFrame(step)
}

function unpacked(bytes) { // three curves one after the other, int16 thousandths
  const all = new Int16Array(bytes), n = all.length / 3
  return [0, 1, 2].map(k => Float32Array.from(all.subarray(k * n, (k + 1) * n), v => v / 1000))
}

function render({model, el}) {
  const waiting = []
  model.on('msg:custom', (told, buffers) => {
    const view = buffers[0], answer = waiting.shift()
    if (answer) answer(unpacked(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)), told.numbers)
  })
  monitor(el, model.get('known'), (settings, answer) => { waiting.push(answer); model.send({settings}) }, () => {})
}

export default {render}
