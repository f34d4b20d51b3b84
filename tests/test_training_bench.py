"TrainingBench as its users meet it, in JupyterLab and in Voila: start, watch, pause, close, come back."
import os, re, time
import nbformat, pytest
from test_latent_walk import in_voila, notebook_of
from deepsynthbody_nb.cardiovascular import ecg
from deepsynthbody_nb.training.runs import runs

BENCH = "from deepsynthbody_nb.widgets import TrainingBench\nbench = TrainingBench({!r})\nbench"


class Bench:
    "The bench on a page."
    def __init__(self, page): self.page, self.shots = page, os.environ.get('SCREENSHOTS')
    def button(self, words): return self.page.locator('.dst button', has_text=re.compile(f'^ *{words}$'))
    def field(self, words): return self.page.locator('.dst .widget-inline-hbox', has=self.page.locator(f'label:text-is("{words}")')).locator('input, select')
    def fill(self, words, text): self.field(words).fill(str(text)); self.field(words).press('Tab')
    def says(self, words, seconds=60): self.page.locator('.dst', has_text=words).first.wait_for(timeout=1000*seconds)
    def step(self): return int(re.search(r'step ([\d,]+) of', self.page.locator('.dst').inner_text())[1].replace(',', ''))
    def reaches(self, step, seconds=90):
        self.page.wait_for_function("n => { const at = /step ([\\d,]+) of/.exec(document.querySelector('.dst')?.innerText ?? ''); return at && Number(at[1].replace(',', '')) >= n }", arg=step, timeout=1000*seconds)
    def pictures(self): return self.page.locator('.dst img:visible').evaluate_all('all => all.map(i => i.src)')
    def shot(self, name):
        if self.shots: self.page.screenshot(path=f'{self.shots}/{name}.png')


@pytest.fixture
def there(tmp_path):
    "A folder with records; what still runs in it at the end is stopped."
    ecg.generate(4, tmp_path/'records', seed=0, format='wfdb')
    yield tmp_path
    for run in runs(tmp_path/'runs'):
        if run.state()['state'] in ('reading', 'running'): run.stop()
        run.wait(60)


def test_in_jupyterlab(lab, there, tell):
    nbformat.write(notebook_of(BENCH.format(str(there/'runs'))), lab.folder/'bench.ipynb')
    notebook = lab.open('bench.ipynb').run_all()
    page, bench = notebook.page, Bench(notebook.page)
    page.set_viewport_size(dict(width=1280, height=1500))
    bench.button('Start').wait_for(timeout=90_000)
    bench.button('Start').click(); bench.says('fill in where the records are')
    bench.fill('Records', there/'nowhere'); bench.button('Preview').click(); bench.says('there is no such folder')
    bench.shot('bench_wrong')
    bench.fill('Records', there/'records'); bench.button('Preview').click(); bench.says('4 records')
    bench.shot('bench_new')

    for words, value in {'Steps': 4000, 'Batch': 8, 'Critic steps': 1, 'Save every': 10, 'Sample every': 20}.items(): bench.fill(words, value)
    bench.fill('Name', 'mine')
    began = time.perf_counter()
    bench.button('Start').click(); bench.says('mine has started')
    bench.reaches(10)
    tell(f'Start pressed to the tenth step on the page: {time.perf_counter() - began:.0f} s, most of it the new process importing PyTorch; another test ran beside')
    first = bench.step()
    page.wait_for_function("() => document.querySelectorAll('.dst img').length && [...document.querySelectorAll('.dst img')].filter(i => i.offsetParent).length >= 2", timeout=120_000)
    seen = bench.pictures()
    bench.reaches(first + 10)
    page.wait_for_function("old => [...document.querySelectorAll('.dst img')].find(i => i.offsetParent).src !== old", arg=seen[0], timeout=30_000)   # the curves have grown
    assert bench.button('Resume').is_disabled() and bench.button('Pause').is_enabled()
    bench.shot('bench_running')
    bench.button('Pause').click(); bench.says('· paused', 30)
    rested = bench.step()
    time.sleep(3); assert bench.step() == rested and bench.button('Pause').is_disabled()
    bench.button('Resume').click(); bench.reaches(rested + 5)

    page.keyboard.press('Control+s'); page.locator('.jp-NotebookPanel:not(.jp-mod-dirty)').first.wait_for(); page.wait_for_timeout(2000)
    page.reload(wait_until='domcontentloaded')                               # the same kernel, another page
    bench.button('Pause').wait_for(timeout=90_000)
    seen = bench.step(); bench.reaches(seen + 5)

    page.get_by_role('menuitem', name='Kernel', exact=True).click()          # the notebook's process ends; the run's does not
    page.locator('.lm-Menu-itemLabel', has_text=re.compile(r'^Shut Down Kernel$')).click()
    page.wait_for_timeout(3000)
    run, = runs(there/'runs')
    assert run.state()['state'] == 'running'
    notebook = lab.open('bench.ipynb').run_all()
    bench.says('mine · running'); seen = bench.step(); bench.reaches(seen + 5)
    bench.button('Stop').click(); bench.says('· stopped', 30)

    bench.button('Sample').click(); bench.says('step'); page.wait_for_function("n => [...document.querySelectorAll('.dst img')].filter(i => i.offsetParent).length >= n", arg=3, timeout=60_000)
    bench.fill('To folder', there/'given'); bench.button('Export').click(); bench.says('Exported step')
    assert (there/'given'/'weights.safetensors').stat().st_size > 10_000
    bench.shot('bench_stopped')

    page.get_by_role('tab', name='New run').click()
    bench.fill('Records', there/'records'); bench.fill('Steps', 20); bench.fill('Batch', 8); bench.fill('Sample every', 10); bench.fill('Learning rate', .002)
    bench.button('Start').click(); bench.says('· finished', 120)
    page.locator('.dst select[multiple]').select_option(index=[0, 1]); page.locator('.dst-table table', has_text='learning rate').wait_for(timeout=60_000); page.wait_for_timeout(1000)
    bench.shot('bench_compared')
    gone = 'widget model not found', 'Canceled future'                       # what JupyterLab says of a page whose kernel is gone
    assert [e for e in notebook.errors() if not any(said in e for said in gone)] == []


def test_voila(page, there):
    with in_voila(page, BENCH.format(str(there/'runs')), there):
        bench = Bench(page)
        bench.button('Start').wait_for(timeout=90_000)
        for words, value in {'Records': there/'records', 'Steps': 10, 'Batch': 4, 'Sample every': 5, 'Name': 'far'}.items(): bench.fill(words, value)
        bench.field('MLflow').select_option('none')
        bench.button('Start').click(); bench.says('far · finished', 120)
    run, = runs(there/'runs')
    assert run.checkpoints() == [5, 10] and run.plan.tracking is None
