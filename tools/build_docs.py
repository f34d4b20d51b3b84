"""Build the documentation site from the notebooks, with no Quarto and no network.

    python tools/build_docs.py            the site, into _docs
    python tools/build_docs.py --readme   README.md and its picture, from nbs/index.ipynb

The notebooks are run in a copy of the tree (so this also tests them), go through nbdev's own processing (reference pages of the
exported names, links), are turned into MyST and built by Sphinx. Title, sidebar and order come from `_quarto.yml`.
"""
import argparse, base64, io, os, re, shutil, subprocess, sys, tempfile
from pathlib import Path
import nbformat, yaml
from PIL import Image
from docutils.nodes import make_id
from deepsynthbody_nb.course.lessons import guarded, is_answer

ROOT = Path(__file__).resolve().parent.parent
PARTS = ('nbs', 'deepsynthbody_nb', 'data', 'benchmarks', 'pyproject.toml', '_quarto.yml', 'README.md', 'CHANGELOG.md')  # what the notebooks need beside them


# --- run ------------------------------------------------------------------------------------------------------------

def run_notebooks(copy):
    "Copy the tree and run every notebook in it, keeping the outputs."
    for part in PARTS:
        source = ROOT/part
        if source.is_dir(): shutil.copytree(source, copy/part, symlinks=True, ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints', 'nbdev.yml'))
        elif source.exists(): shutil.copy(source, copy/part)
    for path in (copy/'nbs'/'tutorials').glob('*.ipynb'):                                     # each exercise is also run without its answer
        lesson = nbformat.read(path, 4)
        lesson.cells = [nbformat.from_dict(cell) for cell in guarded(lesson.cells)]
        for cell in lesson.cells:
            if is_answer(cell.source): cell.source = cell.source.replace('#| answer', '#| answer: true', 1)    # nbdev drops what has no colon
        nbformat.write(lesson, path)
    real = os.environ.get('DEEPSYNTHBODY_ECG') or str(ROOT.parent/'shared'/'data'/'ecg')      # where the pages that show real records look
    subprocess.run([Path(sys.executable).parent/'nbdev-test', '--save', '--timing', '--n-workers', str(os.cpu_count())], cwd=copy, check=True,
                   env={'OMP_NUM_THREADS': '1'} | os.environ | {'PYTHONPATH': str(copy), 'DEEPSYNTHBODY_ECG': real})   # as many notebooks at a time as cores: a thread each


def check_pictures(copy):
    "Fail if a cell that draws has lost its picture."
    for path in sorted((copy/'nbs').rglob('*.ipynb')):
        for cell in nbformat.read(path, 4).cells:
            draws = cell.cell_type == 'code' and re.search(r'^(\S.*)?plt\.show\(\)|^draw_ecg\(', cell.source, flags=re.M)
            if not draws or re.search(r'^#\| *(export|eval: false|output: false)', cell.source, flags=re.M): continue
            if not any('image/png' in o.get('data', {}) for o in cell.outputs): sys.exit(f"{path.relative_to(copy)}: this cell lost its picture:\n{cell.source}")


# --- convert --------------------------------------------------------------------------------------------------------

def markdown(text, depth, base):
    "Quarto's and nbdev's markdown as MyST."
    text = re.sub(re.escape(base) + r'/?([\w/.-]+)\.html(#[\w.]+)?', lambda m: f"{'../'*depth}{m[1]}.ipynb" + ('#' + make_id(m[2]) if m[2] else ''), text)
    text = re.sub(r'\]\(((?:\.\./)*(?:[\w-]+/)*)\d\d_([\w-]+\.ipynb)', r'](\1\2', text)  # pages drop the number of their notebook
    text = re.sub(r'\{target="_blank"[^}]*\}', '', text)
    return re.sub(r'^::: ?\{\.callout-(note|tip|warning|important|caution)[^}]*\}', r':::{\1}', text, flags=re.M)


def code(cell):
    "Apply and remove a cell's directives; None if the page does not show the cell."
    options = dict(re.findall(r'^#\|\s*([\w-]+):\s*(.*)$', cell.source, flags=re.M))
    cell.source = re.sub(r'^#\|.*\n?', '', cell.source, flags=re.M)
    if options.get('answer'): cell.metadata.update(tags=['hide-input'], mystnb=cell.metadata.get('mystnb', {}) | dict(code_prompt_show='Show the answer', code_prompt_hide='Hide the answer'))
    if options.get('include') == 'false': return None
    if options.get('echo') == 'false': cell.metadata['tags'] = ['remove-input']
    if options.get('output') == 'false': cell.outputs = []
    return cell


def announced(text, before):
    "What a picture below this markdown shows: the sentence that ends with a colon, else the heading, else what was said before."
    text = re.sub(r'```.*?```|<[^>]+>', '', text, flags=re.S)
    text = re.sub(r'!?\[([^\]]*)\]\([^)]*\)|[*_`$]', lambda m: m[1] or '', text).strip()
    last = re.split(r'(?<=[.:?!])\s+(?=[A-Z])', text)[-1]
    if last.endswith(':') and '|' not in last: return ' '.join(last.lstrip('#- ').rstrip(':').split())
    headings = re.findall(r'^#+ (.*)$', text, flags=re.M)
    return headings[-1] if headings else before


def describe(cell, title, said):
    "Say in words what a cell's picture shows: its own `fig-alt`, or what the text above announces."
    own = re.search(r'^#\|\s*fig-alt:\s*(.*)$', cell.source, flags=re.M)
    if any(kind.startswith('image/') for o in cell.outputs for kind in o.get('data', {})):
        cell.metadata['mystnb'] = dict(image=dict(alt=own[1] if own else f"{title}: {said}" if said else title))


def convert(processed, target, base):
    "Processed notebooks to Sphinx sources; returns {notebook: page}."
    pages = {}
    for path in sorted(processed.rglob('*.ipynb')):
        rel, notebook, cells, front = path.relative_to(processed), nbformat.read(path, 4), [], {}
        depth, said = len(rel.parts) - 1, ''
        for cell in notebook.cells:
            cell.pop('has_sd', None)                                                  # nbdev's mark, not in the notebook schema
            for key in ('execution', 'transient'): cell.metadata.pop(key, None)
            if cell.cell_type == 'raw' and cell.source.startswith('---'): front.update(yaml.safe_load(cell.source.strip().strip('-')) or {}); continue
            if cell.source.startswith(('<!-- WARNING', '**For the teacher.**')): continue
            if cell.cell_type == 'markdown':
                said = announced(cell.source, said)
                cell.source = markdown(cell.source, depth, base)
            if cell.cell_type == 'code':
                describe(cell, str(front.get('title', rel.stem)), said)
                cell = code(cell)
                if cell is None: continue
                for output in cell.outputs:
                    data = output.get('data', {})
                    if 'text/markdown' in data: data['text/markdown'] = re.sub(r'^---\n', '', markdown(data['text/markdown'], depth, base))
            cells.append(cell)
        about = f"\n\n> {front['description']}" if front.get('description') else ''
        notebook.cells = [nbformat.v4.new_markdown_cell(f"# {front.get('title', rel.stem)}{about}"), *cells]
        page = rel.parent/re.sub(r'^\d\d_', '', rel.stem)
        (target/page).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target/page.with_suffix('.ipynb'))
        pages[rel.as_posix()] = page.as_posix()
    return pages


def sidebar(contents, pages):
    "Sphinx's table of contents from the sidebar of `_quarto.yml`; every page must be in it."
    named = [e for entry in contents for e in ([entry] if isinstance(entry, str) else entry['contents'])]
    if lost := set(pages) - set(named): sys.exit(f"_quarto.yml: the sidebar lacks {sorted(lost)}")
    return '\n\n'.join(':::{toctree}\n:hidden:\n:caption: ' + entry['section'] + '\n' + '\n'.join(pages[e] for e in entry['contents']) + '\n:::'
                       for entry in contents if not isinstance(entry, str))


# --- build ----------------------------------------------------------------------------------------------------------

SPHINX = dict(
    extensions=['myst_nb', 'sphinx-mathjax-offline'], html_theme='furo', nb_execution_mode='off', nb_render_markdown_format='myst',
    myst_enable_extensions=['colon_fence', 'dollarmath', 'amsmath', 'deflist'], myst_heading_anchors=4, myst_heading_slug_func='docutils.nodes.make_id',
    html_static_path=[str(ROOT/'nbs'/'images')], html_css_files=['site.css'], html_favicon=str(ROOT/'nbs'/'images'/'mark.svg'), html_copy_source=False,
    html_show_sphinx=False, html_theme_options=dict(light_logo='mark.svg', dark_logo='mark.svg', sidebar_hide_name=False,
        light_css_variables={'color-brand-primary': '#a32d25', 'color-brand-content': '#a32d25'}, dark_css_variables={'color-brand-primary': '#f08a80', 'color-brand-content': '#f08a80'}))


def build_site(out):
    with tempfile.TemporaryDirectory() as folder:
        copy, source = Path(folder).resolve()/'tree', Path(folder).resolve()/'sphinx'
        copy.mkdir(); source.mkdir()
        run_notebooks(copy)
        check_pictures(copy)
        os.chdir(copy)
        import nbdev.doclinks
        from nbdev.config import get_config
        from nbdev.quarto import refresh_quarto_yml
        from nbdev.serve import proc_nbs
        from sphinx.application import Sphinx
        refresh_quarto_yml(); nbdev.doclinks._build_modidx()
        pages = convert(Path(proc_nbs(force=True)), source, get_config().doc_url.rstrip('/'))
        website = yaml.safe_load((ROOT/'_quarto.yml').read_text())['website']
        index = nbformat.read(source/'index.ipynb', 4)
        index.cells.append(nbformat.v4.new_markdown_cell(sidebar(website['sidebar']['contents'], pages)))
        nbformat.write(index, source/'index.ipynb')
        built = Path(folder)/'html'
        app = Sphinx(source, None, built, Path(folder)/'doctrees', 'html', status=None, warning=sys.stderr, warningiserror=True,
                     confoverrides=SPHINX | dict(project=website['title'], html_title=website['title'], copyright='the DeepSynthBody founders, MIT licence'))
        app.build()
        if app.statuscode: sys.exit('the site has errors, see above')
        slim_mathjax(built)
        slim_pictures(built)
        os.chdir(ROOT)
        shutil.rmtree(out, ignore_errors=True); shutil.move(built, out)
    print(f'site: {out}/index.html, {len(pages)} pages')


def slim_mathjax(site):
    "Keep MathJax's one file and its fonts; the rest of the package (24 MB) is never asked for."
    for extra in site.rglob('mathjax'):
        for path in [p for p in extra.rglob('*') if p.is_file()]:
            if not (path.name.startswith('tex-chtml') or path.suffix == '.woff'): path.unlink()


def slim_pictures(site):
    "Give large pictures 256 colours of their own (all that a grey picture has); what is noise, and still large, is shown 1,200 pixels wide."
    for path in (site/'_images').glob('*.png'):
        if path.stat().st_size < 100_000: continue
        picture = Image.open(path).convert('RGB')
        for size in (picture.size, (1200, round(1200*picture.height/picture.width))):
            packed = io.BytesIO()
            picture.resize(size, Image.LANCZOS).quantize(256).save(packed, 'png', optimize=True)
            if len(packed.getvalue()) < path.stat().st_size: path.write_bytes(packed.getvalue())
            if path.stat().st_size < 350_000 or picture.width <= 1200: break


# --- README ---------------------------------------------------------------------------------------------------------

def readme():
    "The text of README.md: the index notebook with the code that its page shows, its labelled figures as pictures, links into the repository."
    parts = []
    for cell in nbformat.read(ROOT/'nbs'/'index.ipynb', 4).cells:
        if cell.cell_type == 'markdown': parts.append(re.sub(r'\]\((?!https?:|#)', '](nbs/', cell.source)); continue
        options = dict(re.findall(r'^#\|\s*([\w-]+):\s*(.*)$', cell.source, flags=re.M))
        if options.get('echo') != 'false': parts.append('```python\n' + re.sub(r'^#\|.*\n?', '', cell.source, flags=re.M) + '\n```')
        if label := options.get('label', '').removeprefix('fig-'):
            picture = next((ROOT/'nbs'/'images').glob(f'{label}.*'))
            parts.append(f"![{options.get('fig-alt', 'The output of the cell above')}](nbs/images/{picture.name})")
    return '<!-- Made from nbs/index.ipynb by `make export`: edit there. -->\n\n' + '\n\n'.join(parts) + '\n'


def write_readme():
    "Run the index notebook, keep its labelled figures, write README.md."
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)/'nbs'/'index.ipynb'
        copy.parent.mkdir(); shutil.copy(ROOT/'nbs'/'index.ipynb', copy); shutil.copy(ROOT/'pyproject.toml', folder)
        subprocess.run([Path(sys.executable).parent/'nbdev-test', '--save', str(copy)], cwd=folder, check=True)
        for cell in nbformat.read(copy, 4).cells:
            label = re.search(r'^#\|\s*label: fig-(\w+)', cell.source, flags=re.M)
            if not label: continue
            kind, data = next((kind, o.data[f'image/{kind}']) for o in cell.outputs for kind in ('gif', 'png') if f'image/{kind}' in o.get('data', {}))
            (ROOT/'nbs'/'images'/f'{label[1]}.{kind}').write_bytes(base64.b64decode(data))
    (ROOT/'README.md').write_text(readme())


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--readme', action='store_true', help='make README.md instead of the site')
    parser.add_argument('--out', type=Path, default=ROOT/'_docs', help='where the site goes')
    asked = parser.parse_args()
    write_readme() if asked.readme else build_site(asked.out.resolve())
