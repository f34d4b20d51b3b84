"SaliencyExplorer as its users meet it: in a script, in JupyterLab and in Voila."
import statistics
import nbformat, numpy as np, pytest
from test_latent_walk import as_script, in_voila, notebook_of
from deepsynthbody_nb.generators.pulse2pulse import make_ecgs
from deepsynthbody_nb.signals.leads import to_8_lead, to_12_lead
from deepsynthbody_nb.widgets import SaliencyExplorer
from deepsynthbody_nb.xai.faithfulness import randomised
from deepsynthbody_nb.xai.attribution import BASELINES, METHODS

EXPLORER = "from deepsynthbody_nb.widgets import SaliencyExplorer\nexplorer = SaliencyExplorer(seed=1, folder='saved')\nexplorer"
FAST = ('saliency', 'input_x_gradient', 'integrated_gradients', 'deep_lift', 'grad_cam', 'guided_grad_cam', 'gradient_shap')
CLOCK = """() => { window.waited = []; document.querySelector('.dsx').addEventListener('change', () => { window.chosen = performance.now() }, true)
    new MutationObserver(() => { if (window.chosen) { window.waited.push(performance.now() - window.chosen); window.chosen = 0 } }).observe(document.querySelector('.dsx canvas'), {attributeFilter: ['data-drawn']}) }"""


def runs(code, **given):
    exec(code.replace('draw_attribution(x, attribution)', ''), given)
    return given['attribution']


# --- in a plain script, with no event loop ------------------------------------------------------------------------------

@as_script
def test_a_script_can_use_it(tmp_path):
    explorer = SaliencyExplorer(seed=1)
    explorer.record, explorer.target, explorer.method, explorer.baseline = 2, 'CD', 'deep_lift', 'straight'
    seen = {}
    for explorer.randomised in (False, True):
        own = explorer.attribution
        assert own.dims == ('lead', 'time') and own.shape == (12, 5000) and own.attrs['baseline'] == 'straight'
        np.testing.assert_allclose(runs(explorer.code)[0], own, atol=1e-4*float(abs(own).max()))           # float32; threads may round otherwise
        assert explorer.shares.values.sum() == pytest.approx(1) and list(explorer.shares.columns) == ['P', 'QRS', 'ST', 'T', 'rest'] and len(explorer.shares) == 8
        p = explorer._probabilities(2, explorer.randomised)['CD']
        np.testing.assert_allclose(explorer.deletion.iloc[0], p, atol=1e-5)                               # nothing replaced yet
        assert f'CD {p:.2f}' in explorer.said['sentence'] and explorer.said['sentence'].count('%') == 3
        assert ('learnt nothing' in explorer.said['caution']) == explorer.randomised
        seen[explorer.randomised] = own
    assert abs(np.corrcoef(seen[False].values.flat, seen[True].values.flat)[0, 1]) < .8           # another map
    assert explorer.save(tmp_path/'view.png').read_bytes()[:4] == b'\x89PNG'
    with pytest.raises(ValueError, match='known are .png'): explorer.save(tmp_path/'view.gif')
    explorer.close()


@as_script
def test_the_map_is_faithful_and_its_parts_are_right():
    explorer = SaliencyExplorer(seed=1)
    areas = explorer.deletion.mean()
    assert areas['map'] < areas['random'] - .2                               # integrated gradients find what this network uses
    a = explorer.attribution
    assert explorer.shares.loc['V4'].sum() == pytest.approx(float(abs(a.sel(lead='V4')).sum()/abs(a).sum()), rel=1e-4)
    for explorer.method in METHODS.keys() - {'random', 'occlusion'}: assert explorer.said['note'] == '' and explorer.said['shown'][2] == explorer.method
    before = explorer._attributed.cache_info().misses
    explorer.method = 'integrated_gradients'
    assert explorer._attributed.cache_info().misses == before                # kept
    explorer.close()


@as_script
def test_own_ecgs_and_networks():
    x = to_12_lead(next(make_ecgs(3, seed=4))).assign_coords(record=['a', 'b', 'c'])
    explorer = SaliencyExplorer(to_8_lead(x), model='superclass_reseeded', leads=('I', 'V1'))
    explorer.record, explorer.method = 'c', 'input_x_gradient'
    np.testing.assert_allclose(runs(explorer.code, x=to_8_lead(x))[0], explorer.attribution, atol=1e-4*float(abs(explorer.attribution).max()))
    assert explorer.draw().traces[1][1] == 'V1'
    one = SaliencyExplorer(x[1].values, model=explorer._networks[0])         # an array, and a network
    one.method, one.target = 'input_x_gradient', explorer.target
    explorer.record = 'b'
    np.testing.assert_allclose(one.attribution, explorer.attribution, atol=1e-4*float(abs(one.attribution).max()))
    np.testing.assert_allclose(runs(one.code, x=x[1].values, model=explorer._networks[0]), one.attribution, atol=1e-4*float(abs(one.attribution).max()))   # float32; threads may round otherwise


@as_script
def test_wrong_choices_are_named():
    explorer = SaliencyExplorer(seed=0)
    for name, wrong, said in [('record', 8, 'unknown record 8; known are 0, 1'), ('target', 'AF', "unknown class 'AF'; known are NORM, MI"), ('method', 'random', 'known are saliency'),
                              ('baseline', 'zero', 'known are ' + ', '.join(BASELINES)), ('randomised', 'yes', 'known are False, True'), ('target', None, 'unknown class None')]:
        before = getattr(explorer, name)
        with pytest.raises(ValueError, match=said): setattr(explorer, name, wrong)
        assert getattr(explorer, name) == before
    x = explorer.x
    for wrong, said in [(dict(model='qrs_ms_beat'), 'networks with classes'), (dict(model='vgg'), "unknown network 'vgg'"), (dict(leads=('V7',)), "unknown leads .'V7'"), (dict(leads=()), 'unknown leads'),
                        (dict(x=x.where(x.time > 1)), 'has NaN'), (dict(x=x.assign_coords(record=[0]*8)), 'two records have one name'), (dict(x=x[..., :500]), 'lasts 1 s')]:
        with pytest.raises(ValueError, match=said): SaliencyExplorer(**wrong)


def test_randomised_leaves_the_network_alone():
    import torch
    from deepsynthbody_nb.classifiers.resnet import load_classifier
    model = load_classifier('superclass')
    before, drawn = [p.clone() for p in model.parameters()], torch.random.get_rng_state()
    new = randomised(model, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters())) and torch.equal(drawn, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(new.parameters(), randomised(model, seed=3).parameters()))
    assert not any(torch.equal(a, b) for a, b in zip(before, new.parameters()) if a.ndim > 1)


# --- in JupyterLab --------------------------------------------------------------------------------------------------------

@pytest.mark.clock
def test_in_jupyterlab(lab, tell):
    (lab.folder/'saved').mkdir(exist_ok=True)
    nbformat.write(notebook_of(EXPLORER), lab.folder/'explorer.ipynb')
    notebook = lab.open('explorer.ipynb').run_all()
    page, pictures = notebook.page, []
    rested = lambda: page.wait_for_function("() => document.querySelector('.dsx-curve svg') && !document.querySelector('.dsx.busy')", timeout=60_000)
    drawn = lambda: int(page.locator('.dsx canvas').get_attribute('data-drawn') or 0)
    def does(act):
        before = drawn(); act()
        page.wait_for_function("n => Number(document.querySelector('.dsx canvas').dataset.drawn) > n && !document.querySelector('.dsx.busy')", arg=before, timeout=60_000)
        pictures.append(page.locator('.dsx canvas').evaluate('c => c.toDataURL()'))
    choose = lambda name, value: does(lambda: page.locator(f'.dsx select[data-of={name}]').select_option(value))
    rested(); page.evaluate(CLOCK)
    sentence = lambda: page.locator('.dsx-sentence').inner_text()
    assert sentence().startswith('The network gives NORM 0.') and page.locator('.dsx table tbody tr').count() == 8
    page.locator('.dsx-classes input').first.focus()
    does(lambda: page.keyboard.press('ArrowRight')); assert sentence().startswith('The network gives MI')      # with the keyboard
    page.evaluate('window.waited = []')
    for target in ('CD', 'STTC'):                                            # fourteen choices not made before: nothing is kept of them
        does(lambda: page.locator(f'.dsx-classes input[value={target}]').focus() or page.keyboard.press('Space'))
        now = page.locator('.dsx select[data-of=method]').input_value()
        for method in FAST:
            if method != now: choose('method', method)
    waited = page.evaluate('waited')
    assert len(set(pictures)) == len(pictures) == 15 == len(waited) + 1      # every choice another picture
    tell(f"class or method chosen to map on screen, {len(waited)} choices over {len(FAST)} gradient methods: median {statistics.median(waited):.0f} ms, worst {max(waited):.0f} ms")
    assert statistics.median(waited) < 1500                                  # ms; the aim of 500 is told above: a busy machine should turn no test red
    rested(); assert 'area' in page.locator('.dsx-curve svg').get_attribute('aria-label')
    assert page.locator('.dsw-warning').is_hidden()
    choose('method', 'integrated_gradients')
    does(lambda: page.locator('.dsx input[type=checkbox]').check())
    assert 'learnt nothing' in page.locator('.dsw-warning').inner_text() and sentence().startswith('A network with random weights') and pictures[-1] != pictures[-2]
    choose('record', '3'); assert 'record 3' in page.locator('.dsx canvas').get_attribute('aria-label')
    page.locator('.dsx button[data-do=sheet]').click(); page.wait_for_function("() => document.querySelector('.dsx button[data-do=sheet]').getAttribute('aria-pressed') === 'true'")
    page.locator('.dsx button[data-do=save]').click(); page.wait_for_function("() => document.querySelector('.dsx .dsw-note').textContent.startsWith('Saved')", timeout=60_000)
    assert next((lab.folder/'saved').glob('saliency_*_001.png')).stat().st_size > 50_000
    page.context.grant_permissions(['clipboard-read', 'clipboard-write'])
    page.locator('.dsx button[data-do=copy]').click(); page.wait_for_function("() => document.querySelector('.dsx .dsw-note').textContent.startsWith('Copied')")
    assert "ecg.sample(8, seed=1).sel(record=[3])" in page.evaluate('navigator.clipboard.readText()')
    assert page.locator('.dsx :is(select, input, button, textarea)').evaluate_all("all => all.every(e => e.getAttribute('aria-label') || e.closest('label')?.textContent)")
    assert notebook.errors() == []


def test_voila(page, tmp_path):
    with in_voila(page, EXPLORER, tmp_path):
        page.wait_for_function("() => document.querySelector('.dsx-curve svg') && !document.querySelector('.dsx.busy')", timeout=120_000)
        picture = lambda: page.locator('.dsx canvas').evaluate('c => c.toDataURL()')
        before, drawn = picture(), int(page.locator('.dsx canvas').get_attribute('data-drawn'))
        page.locator('.dsx select[data-of=method]').select_option('saliency')
        page.wait_for_function("n => Number(document.querySelector('.dsx canvas').dataset.drawn) > n && !document.querySelector('.dsx.busy')", arg=drawn, timeout=60_000)
        assert picture() != before
