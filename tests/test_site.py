"The built documentation as a reader without a kernel meets it: served from this machine, asking nothing of any other."
import functools, http.server, importlib, inspect, pkgutil, re, threading
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


def test_a_narrow_screen_keeps_the_text_inside(chromium, site):
    context = chromium.new_context(viewport=dict(width=390, height=800)); page = context.new_page()
    page.goto(f'{site}/tutorials/first_ecg.html')
    assert page.evaluate('document.documentElement.scrollWidth') <= 400                                # px
    context.close()
