"The built documentation as a reader without a kernel meets it: served from this machine, asking nothing of any other."
import functools, http.server, importlib, inspect, pkgutil, re, threading
from urllib.parse import unquote
import pytest, yaml
import deepsynthbody_nb
from conftest import ROOT, skip_or_fail

SITE = ROOT/'_docs'


@pytest.fixture(scope='module', autouse=True)
def site():
    "The address of the built site."
    if not (SITE/'index.html').exists(): skip_or_fail('the site is not built; make docs')
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_): pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()


def pages():
    rooms = [SITE, *(SITE/p.name for p in (ROOT/'nbs').iterdir() if any(p.glob('*.ipynb')))]
    return sorted(p for room in rooms for p in room.glob('*.html') if p.stem not in ('genindex', 'search'))


def test_every_notebook_has_its_page():
    names = {re.sub(r'^\d\d_', '', p.stem) for p in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts}
    assert {p.stem for p in pages()} == names


def test_pages_are_whole(page, site):
    wrong = []
    for path in pages():
        page.goto(f'{site}/{path.relative_to(SITE)}')
        broken = page.eval_on_selector_all('img', 'all => all.filter(i => !i.complete || i.naturalWidth === 0).map(i => i.src)')
        links = {re.sub(r'[#?].*', '', a) for a in page.eval_on_selector_all('a[href]', 'all => all.map(a => a.href)')}
        dead = [a for a in links if a.startswith(site) and not (SITE/(a.removeprefix(site).strip('/') or 'index.html')).exists()]
        anchors = page.eval_on_selector_all('a[href^="#"]', 'all => all.filter(a => a.hash.length > 1 && !document.getElementById(decodeURIComponent(a.hash.slice(1)))).map(a => a.hash)')
        told = page.inner_text('article')
        odd = [text for text in ('Traceback', ':::', '.ipynb)') if text in told]                              # the last: a link that became none
        if broken or dead or anchors or odd: wrong.append((path.name, broken, dead, anchors, odd))
    assert wrong == []
    assert page.console_errors == [] and page.offsite == []


def test_pictures_are_described():
    silent = []
    for path in pages():
        for tag in re.findall(r'<img\b[^>]*>', path.read_text()):
            said = re.search(r"""\balt=(["'])(.*?)\1""", tag)
            if not said or len(said[2]) < 4 or '_images/' in said[2]: silent.append((path.name, tag[:120]))
    assert silent == []


def test_every_exported_name_is_documented(page):
    text, missing = {p: p.read_text() for p in pages()}, []
    for module in pkgutil.walk_packages(deepsynthbody_nb.__path__, 'deepsynthbody_nb.'):
        if module.ispkg or module.name.endswith('_modidx'): continue
        loaded = importlib.import_module(module.name)
        room, stem = module.name.split('.')[-2:]
        html = next(t for p, t in text.items() if p.stem == stem.strip('_') and p.parent.name == (room if (SITE/room).is_dir() else 'systems'))
        for name in loaded.__all__:
            item = getattr(loaded, name)
            shown = f'id="{name.lower().replace("_", "-")}"' in html if inspect.isfunction(item) or inspect.isclass(item) else f'>{name}<' in html
            if not shown: missing.append(f'{module.name}.{name}')
    assert missing == []                                                     # those that are not on their page


def test_pictures_formulas_and_search(page, site):
    page.goto(f'{site}/index.html')
    assert page.locator('article img').first.evaluate('i => i.naturalWidth') > 500                     # px: the moving picture
    page.goto(f'{site}/explanations/lead_geometry.html')
    page.locator('mjx-container').first.wait_for(timeout=20_000)
    page.goto(f'{site}/search.html?q=Einthoven')
    page.locator('#search-results li').first.wait_for(timeout=20_000)
    found = page.locator('#search-results li a').first; title = found.inner_text(); found.click()
    assert page.locator('h1').first.inner_text().startswith(title[:4])
    assert page.console_errors == [] and page.offsite == []


def test_the_sidebar_is_that_of_quarto_yml(page, site):
    page.goto(f'{site}/index.html')
    sections = [e['section'] for e in yaml.safe_load((ROOT/'_quarto.yml').read_text())['website']['sidebar']['contents'] if isinstance(e, dict)]
    assert [s.lower() for s in page.locator('.sidebar-tree .caption').all_inner_texts()] == [s.lower() for s in sections]


def test_answers_of_exercises_are_folded_away(page, site):
    page.goto(f'{site}/tutorials/first_ecg.html')
    answers = page.locator('details.hide')
    assert answers.count() >= 4 and 'Show the answer' in answers.first.inner_text()
    assert not answers.first.locator('pre').first.is_visible()
    assert '✓' in page.inner_text('article') and 'For the teacher' not in page.content()


def test_a_narrow_screen_keeps_the_text_inside(chromium, site):
    context = chromium.new_context(viewport=dict(width=390, height=800)); page = context.new_page()
    page.goto(f'{site}/tutorials/first_ecg.html')
    assert page.evaluate('document.documentElement.scrollWidth') <= 400                                # px
    context.close()


# --- search -----------------------------------------------------------------------------------------------------------

QUERIES = {                                                          # what a reader types: pages of which one must be among the first three
    'glossary': ['explanations/glossary'], 'gallery': ['explanations/gallery'], 'faq': ['explanations/questions'],
    'license': ['explanations/limits'], 'licence': ['explanations/limits', 'explanations/glossary', 'catalogue/card'],
    'citation': ['index', 'explanations/limits'], 'gdpr': ['explanations/limits', 'explanations/questions'],
    'ai act': ['explanations/limits'], 'bias': ['explanations/limits', 'tutorials/asking'], 'ethics': ['explanations/limits'],
    'privacy': ['evaluation/privacy', 'explanations/limits', 'tutorials/would_you_give_it_away', 'explanations/questions'],
    'captum': ['tutorials/explain_your_own_network', 'explanations/peers', 'xai/attribution', 'explanations/questions'],
    'medigan': ['explanations/peers'], 'monai': ['explanations/peers', 'explanations/questions'], 'ecgen': ['explanations/peers'],
    'install': ['index', 'explanations/for_teachers', 'explanations/the_house'], 'offline': ['index', 'explanations/questions', 'explanations/the_house', 'explanations/for_teachers'],
    'dicom': ['images/dicom', 'signals/dicom_files', 'explanations/formats'], 'holter': ['signals/long_records', 'explanations/questions', 'signals/ishne_files'],
    'teacher': ['explanations/for_teachers'], 'jupyterhub': ['explanations/for_teachers'], 'changelog': ['explanations/changelog'],
    'polyp': ['systems/gitract', 'tutorials/a_polyp_that_nobody_has', 'explanations/questions', 'generators/picture_flow'],
    'retina': ['systems/oct', 'evaluation/retina', 'tutorials/noise_to_scan'], 'saliency': ['tutorials/when_saliency_lies', 'widgets/saliency_explorer', 'explanations/why_maps_disagree'],
    'command line': ['systems/command_line'], 'gpu': ['explanations/questions', 'records/devices', 'explanations/for_teachers', 'explanations/speed'],
}


def found_by(page, site, query):
    "The first three pages that the site's search finds, typed into the box of the sidebar."
    page.goto(f'{site}/index.html')
    page.locator('input.sidebar-search').first.fill(query)
    page.keyboard.press('Enter')
    page.wait_for_url('**/search.html*')
    page.locator('#search-results p.search-summary, #search-results > p').first.wait_for(timeout=20_000)
    page.wait_for_function("document.querySelector('#search-results ul') && !document.querySelector('#search-progress')?.innerText", timeout=20_000)
    links = page.locator('#search-results li > a').evaluate_all('all => all.map(a => new URL(a.href).pathname)')
    return [unquote(link).strip('/').removesuffix('.html') for link in links][:3]


def test_search_finds_what_a_reader_types(page, site, tell):
    first = {query: found_by(page, site, query) for query in QUERIES}
    lost = {query: first[query] for query, wanted in QUERIES.items() if not set(wanted) & set(first[query])}
    tell(f'{len(QUERIES) - len(lost)} of {len(QUERIES)} words find their page among the first three')
    assert lost == {}


# --- weight, links ------------------------------------------------------------------------------------------------------

HEAVIEST = 2_000_000                                                 # bytes of a page's HTML and pictures; pages with widgets carry their scripts


def test_pages_are_light(tell):
    weights = {}
    for path in pages():
        text = path.read_text()
        if 'application/vnd.jupyter.widget-view+json' in text: continue
        pictures = {(path.parent/unquote(src)).resolve() for src in re.findall(r'<img\b[^>]*\bsrc="([^":]+)"', text)}
        weights[path.relative_to(SITE).as_posix()] = path.stat().st_size + sum(p.stat().st_size for p in pictures)
    worst = max(weights, key=weights.get)
    tell(f'the heaviest page is {worst}, {weights[worst]/1e6:.2f} MB')
    assert {name: size for name, size in weights.items() if size > HEAVIEST} == {}


def test_links_lead_to_a_page_and_a_heading():
    ids = {path.resolve(): set(re.findall(r'\bid="([^"]+)"', path.read_text())) for path in SITE.rglob('*.html')}
    dead = []
    for path in pages():
        text = re.sub(r'<script\b.*?</script>', '', path.read_text(), flags=re.S)
        for link in re.findall(r'<a\b[^>]*\bhref="([^"]+)"', text):
            if re.match(r'[a-z]+:', link): continue
            page, _, heading = unquote(link).partition('#')
            target = (path.parent/page).resolve() if page else path.resolve()
            if not target.exists() or heading and target in ids and heading not in ids[target]: dead.append((path.name, link))
    assert dead == []


# --- colours, keyboard --------------------------------------------------------------------------------------------------

CONTRAST = """() => {
  const parse = c => { const n = c.match(/[\\d.]+/g).map(Number), k = c.startsWith('color(') ? 255 : 1; return [n[0]*k, n[1]*k, n[2]*k, n[3] ?? 1] }
  const over = (a, b) => [0, 1, 2].map(k => a[k]*a[3] + b[k]*(1 - a[3])).concat(1)
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= .04045 ? v/12.92 : ((v + .055)/1.055)**2.4); return .2126*r + .7152*g + .0722*b }
  const behind = e => { const stack = []; for (; e; e = e.parentElement) stack.push(parse(getComputedStyle(e).backgroundColor)); return stack.reverse().reduce((below, c) => over(c, below), [255, 255, 255, 1]) }
  const poor = new Map(), seen = new Set()
  for (const e of document.querySelectorAll('article *, .sidebar-drawer *, .toc-drawer *')) {
    const text = [...e.childNodes].filter(n => n.nodeType === 3 && n.data.trim()).map(n => n.data.trim()).join(' ')
    const box = e.getBoundingClientRect(), style = getComputedStyle(e)
    if (!text || box.width < 2 || style.visibility === 'hidden' || style.opacity === '0' || e.closest('svg, mjx-container, .headerlink, script, style')) continue
    const back = behind(e), size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700
    const [a, b] = [light(over(parse(style.color), back)), light(back)].sort((x, y) => y - x), ratio = (a + .05)/(b + .05)
    if (ratio < (large ? 3 : 4.5)) poor.set(`${style.color} on ${back.slice(0, 3).map(Math.round)}`, `${ratio.toFixed(2)}: ${e.tagName.toLowerCase()}.${e.className} ${text.slice(0, 40)}`)
  }
  return [...poor]
}"""
SAMPLE = ('index', 'explanations/limits', 'explanations/gallery', 'explanations/questions', 'explanations/scorecards', 'explanations/glossary', 'tutorials/first_ecg', 'signals/leads', 'search')


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_text_can_be_read(chromium, site, scheme):
    "WCAG 2, level AA: 4.5 to 1, and 3 to 1 for large text."
    context = chromium.new_context(viewport=dict(width=1300, height=950), color_scheme=scheme); page = context.new_page()
    poor = {}
    for name in SAMPLE:
        page.goto(f'{site}/{name}.html')
        if found := page.evaluate(CONTRAST): poor[name] = found
    context.close()
    assert poor == {}


def test_pictures_are_legible_in_the_dark(chromium, site):
    "Figures are drawn for white paper, so they bring it along."
    context = chromium.new_context(color_scheme='dark'); page = context.new_page()
    for name in ('index', 'explanations/gallery', 'explanations/limits'):
        page.goto(f'{site}/{name}.html')
        backs = page.eval_on_selector_all('article img', 'all => all.map(i => getComputedStyle(i).backgroundColor)')
        assert backs and set(backs) == {'rgb(255, 255, 255)'}, name
    context.close()


def test_the_keyboard_reaches_everything(page, site):
    "Tab goes to the search, the sidebar and the text, and one sees where it is."
    page.goto(f'{site}/explanations/limits.html')
    reached, hidden = set(), []
    for _ in range(400):
        page.keyboard.press('Tab')
        where, shown, what = page.evaluate("""() => { const e = document.activeElement, s = getComputedStyle(e)
            const where = e.matches('input.sidebar-search') ? 'search' : e.closest('.sidebar-tree') ? 'sidebar' : e.closest('article') ? 'text' : 'other'
            return [where, s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1 || e === document.body, e.outerHTML.slice(0, 90)] }""")
        reached.add(where)
        if not shown: hidden.append(what)
        if {'search', 'sidebar', 'text'} <= reached: break
    assert {'search', 'sidebar', 'text'} <= reached
    assert hidden == []


@pytest.mark.parametrize('name', ['index', 'explanations/gallery', 'explanations/peers', 'explanations/for_teachers', 'explanations/scorecards'])
def test_wide_tables_stay_inside_a_narrow_screen(chromium, site, name):
    context = chromium.new_context(viewport=dict(width=390, height=800)); page = context.new_page()
    page.goto(f'{site}/{name}.html')
    assert page.evaluate('document.documentElement.scrollWidth') <= 400                                # px
    context.close()
