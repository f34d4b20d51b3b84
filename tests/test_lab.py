"The notebooks as a student meets them: JupyterLab in a browser."
import os, statistics, time
import nbformat, pytest


@pytest.mark.clock
def test_the_tutorial_runs_and_its_slider_moves(lab, tell):
    notebook = lab.open('tutorials/01_first_ecg.ipynb').run_all(); page = notebook.page
    widget = page.locator('.jp-OutputArea-output:has(.widget-slider)').first
    widget.scroll_into_view_if_needed()
    picture, readout, handle = widget.locator('img').first, widget.locator('.widget-readout').first, widget.locator('.noUi-handle').first
    picture.wait_for(timeout=60_000)
    seen, waited = [picture.get_attribute('src')], []
    for step in range(1, 8):
        handle.focus(); start = time.perf_counter(); page.keyboard.press('ArrowRight')
        page.wait_for_function("([old]) => { const i = document.querySelector('.jp-OutputArea-output:has(.widget-slider) img'); return i && i.src !== old }", arg=[seen[-1]], timeout=20_000)
        waited.append(1000*(time.perf_counter() - start)); seen.append(picture.get_attribute('src'))
        assert readout.inner_text() == str(step)
    assert len(set(seen)) == 8                                              # eight records, eight pictures
    widget.locator('select').select_option('V2')                            # the other control: the lead
    page.wait_for_function("([old]) => { const i = document.querySelector('.jp-OutputArea-output:has(.widget-slider) img'); return i && i.src !== old }", arg=[seen[-1]], timeout=20_000)
    tell(f'slider to picture: median {statistics.median(waited):.0f} ms of {len(waited)} moves, one lead on ECG paper by matplotlib')
    assert notebook.errors() == []
    if shot := os.environ.get('SCREENSHOTS'): page.screenshot(path=f'{shot}/tutorial.png')


def test_paging_through_the_experts_marks(lab, real_ecg):
    notebook = lab.open('evaluation/00_delineation.ipynb').run_all(); page = notebook.page
    widget = page.locator('.jp-OutputArea-output:has(.widget-dropdown)').first
    widget.scroll_into_view_if_needed()
    picture = widget.locator('img').first
    picture.wait_for(timeout=60_000)
    first = picture.get_attribute('src')
    widget.locator('select').first.select_option('105')                     # a record with extrasystoles
    page.wait_for_function("([old]) => { const i = document.querySelector('.jp-OutputArea-output:has(.widget-dropdown) img'); return i && i.src !== old }", arg=[first], timeout=30_000)
    assert notebook.errors() == []
    if shot := os.environ.get('SCREENSHOTS'): page.screenshot(path=f'{shot}/marks.png')


def test_the_bench_finds_an_error(lab):
    cells = [nbformat.v4.new_code_cell('1 + 1'), nbformat.v4.new_code_cell('1/0'), nbformat.v4.new_code_cell('3')]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=dict(kernelspec=dict(name='python3', display_name='Python 3'))), lab.folder/'broken.ipynb')
    notebook = lab.open('broken.ipynb').run_all()
    assert any('ZeroDivisionError' in e for e in notebook.errors())
