"The delineator: what must hold for every ECG, its shipped figures, and the experts' marks of LUDB."
import numpy as np, pandas as pd, pytest
import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.evaluation.delineation import cross_validation, expert_intervals, expert_marks, score_delineation
from deepsynthbody_nb.signals.delineate import METHODS, WAVES, delineate, draw_waves
from deepsynthbody_nb.signals.files import read
from deepsynthbody_nb.signals.leads import as_ecg, to_8_lead
from deepsynthbody_nb.signals.measure import measure, median_beats
from deepsynthbody_nb.training import delineator as training


@pytest.fixture(scope='module')
def x(): return ecg.sample(3, seed=0)


def over_leads(table, wave='QRS'): return table[table.lead.eq('all') & table.wave.eq(wave)]


def test_the_table_is_tidy(x):
    table = delineate(x)
    assert list(table.columns) == ['record', 'lead', 'beat', 'wave', 'onset_s', 'peak_s', 'offset_s', 'confidence']
    assert set(table.wave) == set(WAVES) and set(table.lead) == {*x.lead.values.astype(str), 'all'}
    assert (table.onset_s <= table.peak_s).all() and (table.peak_s <= table.offset_s).all() and (table.onset_s < table.offset_s).all() and table.confidence.between(0, 1).all()
    for _, lead in table.groupby(['record', 'lead']):
        assert (lead.onset_s.to_numpy()[1:] >= lead.offset_s.to_numpy()[:-1] - .02).all() or lead.lead.iloc[0] == 'all'     # s: waves of a lead do not overlap
        assert not lead[lead.beat >= 0].duplicated(['beat', 'wave']).any()


def test_a_record_alone_or_in_company(x):
    whole, alone = delineate(x), delineate(x[1:2])
    ours = whole[whole.record == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, alone, rtol=0, atol=1e-4, check_dtype=False)      # s


@pytest.mark.parametrize('rate', [100, 128, 360, 1000])
def test_any_rate(x, rate):
    n = int(10*rate)
    again = as_ecg(x.interp(time=np.arange(n)/rate, kwargs=dict(fill_value='extrapolate')).assign_attrs(sampling_rate=rate))
    a, b = over_leads(delineate(x)), over_leads(delineate(again))
    assert len(a) == len(b) and np.abs(a.onset_s.to_numpy() - b.onset_s.to_numpy()).max() < .02          # s: two samples at 100 Hz


@pytest.mark.parametrize('seconds', [2, 3.3, 30])
def test_any_length_from_2_s(x, seconds):
    long = as_ecg(np.tile(x.values[:1], 3))[..., :int(500*seconds)]
    table = over_leads(delineate(long))
    assert abs(len(table) - seconds*measure(x[:1]).heart_rate_bpm.iloc[0]/60) < 3


def test_eight_leads_gain_and_place_in_time(x):
    a, b = over_leads(delineate(x)), over_leads(delineate(2*to_8_lead(x)))
    assert len(a) == len(b) and np.median(np.abs(a.onset_s.to_numpy() - b.onset_s.to_numpy())) < .006     # s
    later = over_leads(delineate(x.assign_coords(time=x.time + 100)))
    np.testing.assert_allclose(later.onset_s, a.onset_s + 100, atol=1e-6)


@pytest.mark.parametrize('signal', [np.zeros((2, 12, 5000)), np.random.default_rng(0).normal(0, .005, (1, 12, 5000))])
def test_nothing_is_found_where_nothing_is(signal):
    assert len(over_leads(delineate(signal))) == 0
    row = measure(signal).iloc[0]
    assert np.isnan(row.heart_rate_bpm) and row.beats == 0 and row.quality.startswith('no rhythm found')


def test_marks_are_drawn_in_their_places(x):
    import matplotlib; matplotlib.use('Agg')
    marks = delineate(x[:1])
    figure = draw_waves(x[0].sel(lead=['II', 'V2']), marks, marks)
    coloured = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2][1:]              # the first is the whole trace
    own = marks[marks.lead.eq('II')]
    assert len(coloured) == len(own)
    np.testing.assert_allclose(sorted(line.get_xdata()[0] for line in coloured), sorted(own.onset_s), atol=.0021)     # s, a sample


@pytest.mark.parametrize('method', [m for m in METHODS if m != 'network'])
def test_neurokits_methods_for_comparison(x, method):
    theirs, ours = delineate(x[:1], method=method), delineate(x[:1])
    assert list(theirs.columns) == list(ours.columns) and 'all' not in set(theirs.lead)
    near = lambda t: t[t.lead.eq('II') & t.wave.eq('QRS')].peak_s.to_numpy()
    assert np.median(np.abs(near(theirs)[:, None] - near(ours)).min(1)) < .02                              # s


@pytest.mark.parametrize('wrong, says', [
    (np.zeros((12, 900)), 'needs 2 s or more, this ECG has 1.8 s'), (as_ecg(np.zeros((12, 5000)), 50), 'from 100 to 1000 Hz, this ECG has 50'),
    (np.full((12, 5000), np.nan), r'missing samples \(NaN\) in lead I;'), (np.zeros((3, 5000)), 'has 3 leads'),
])
def test_bad_input(wrong, says):
    for job in (delineate, measure, median_beats):
        with pytest.raises(ValueError, match=says): job(wrong)


def test_the_shipped_figures_are_those_of_the_card():
    records, errors = cross_validation()
    f1 = {}
    for wave in WAVES:
        marked, missed, invented = (records[f'{wave}_{c}'].sum() for c in ('marked', 'missed', 'invented'))
        f1[wave] = 2*(marked - missed)/(2*marked - missed + invented)
    assert len(records) == 150 and [round(f1[w], 4) for w in WAVES] == [.9921, .9993, .9956]
    mae = {name: (records[f'{name}_found'] - records[f'{name}_marked']).abs().mean() for name in ('qrs_ms', 'pr_ms', 'qt_ms', 'heart_rate_bpm')}
    assert {k: round(v, 1) for k, v in mae.items()} == dict(qrs_ms=4.8, pr_ms=3.6, qt_ms=6.0, heart_rate_bpm=.1)
    assert errors[errors.point == 'QRS onset'].waves.sum() == 16289


@pytest.fixture(scope='module')
def ludb(real_ecg):
    "All of LUDB: ECGs, the experts' marks, and ours. The network that ships was trained on these; its honest figures are the cross-validated ones."
    import warnings
    paths = sorted((real_ecg/'ludb'/'data').glob('*.hea'), key=lambda p: int(p.stem))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        x = read(paths)
    marks = delineate(x)
    return x, expert_marks(real_ecg/'ludb'), marks


def test_the_shipped_network_keeps_the_experts_marks(ludb, tell):
    x, expert, marks = ludb
    detection, points = score_delineation(expert, marks[marks.lead != 'all'])
    tell(f'delineator on LUDB, which it was trained on (cross-validated figures: model card)\n{detection.round(4).to_string()}\n{points.round(1).to_string()}')
    assert detection.f1['QRS'] > .995 and detection.f1['P'] > .98 and detection.f1['T'] > .99
    assert points.sd_ms['QRS onset'] < 9 and points.sd_ms['T offset'] < 20 and points.mean_ms.abs().max() < 3        # ms


def test_measured_intervals_agree_with_the_experts(ludb, tell):
    x, expert, marks = ludb
    table = measure(x, marks)
    intervals = ['qrs_ms', 'pr_ms', 'qt_ms', 'heart_rate_bpm']
    error = table[intervals] - expert_intervals(expert).reindex(table.index)[intervals]
    tell('measure against the experts of LUDB (trained on), mean absolute error: ' + ', '.join(f'{k} {v:.2f} (n {error[k].notna().sum()})' for k, v in error.abs().mean().items()))
    assert (error[['qrs_ms', 'pr_ms', 'qt_ms']].abs().mean() < [10, 12, 18]).all()                                     # ms, the bounds
    assert error.heart_rate_bpm.abs().median() < .3                                                                    # bpm; experts leave the first and last beats out


def test_no_p_is_invented_in_fibrillation(ludb):
    x, expert, marks = ludb
    af = [str(r) for r, note in zip(x.record.values, x.comments.values) if 'atrial fibrillation' in note.lower()]
    af = [r for r in af if not (expert[expert.record == r].wave == 'P').any()]
    assert len(af) >= 10 and len(marks[marks.record.isin(af) & marks.wave.eq('P')]) == 0
    assert measure(x.sel(record=af), marks[marks.record.isin(af)]).pr_ms.isna().all()


def test_training_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    y = np.zeros((1, 12, 5000), 'uint8'); y[..., 1000:1050] = 2; y[..., 1100:1200] = 3; y[..., 900:940] = 1
    data = pd.DataFrame(dict(name=['a'], group=['other'])), ecg.sample(1, seed=0).values, y
    go = dict(steps=6, batch=2, checkpoint_every=2, progress=False)
    whole = training.train_delineator(*data, tmp_path/'whole.safetensors', **go).read_bytes()
    loss, calls = training.delineation_loss, []
    def fails_at_the_fifth(*args):
        calls.append(1)
        if len(calls) == 5: raise KeyboardInterrupt
        return loss(*args)
    monkeypatch.setattr(training, 'delineation_loss', fails_at_the_fifth)
    with pytest.raises(KeyboardInterrupt): training.train_delineator(*data, tmp_path/'parts.safetensors', **go)
    assert not (tmp_path/'parts.safetensors').exists() and (tmp_path/'parts.checkpoint').exists()
    assert training.train_delineator(*data, tmp_path/'parts.safetensors', **go).read_bytes() == whole and len(calls) == 7


def test_marks_made_or_given_measure_alike(x):
    eight = to_8_lead(x)
    pd.testing.assert_frame_equal(measure(eight), measure(eight, delineate(eight)))
    with pytest.raises(ValueError, match="no rows over all leads"): measure(x[:1], delineate(x[:1], method='dwt'))


def test_records_of_one_name_are_refused(x):
    with pytest.raises(ValueError, match='two records of this ECG have the same name'): measure(x.assign_coords(record=[0, 1, 1]))


def test_columns_do_not_depend_on_the_data(x):
    columns = list(measure(x).columns)
    assert list(measure(np.zeros((1, 12, 5000))).columns) == columns == list(measure(x[:0]).columns)
    assert list(delineate(x[:0]).columns) == list(delineate(x).columns)


def test_a_dead_lead_has_no_amplitude_and_no_axis(x):
    dead = x[0].copy(); dead.loc[{'lead': ['I', 'V3']}] = 0
    row = measure(dead).iloc[0]
    assert row.filter(regex='_V3_mv$').isna().all() and row.filter(regex='axis').isna().all() and row.quality.startswith('dead leads: I, V3')
    assert row.filter(regex='_V4_mv$').notna().all()


def test_quality_names_a_lead_that_came_off_and_one_that_was_clipped(x):
    off = x[0].copy(); off.loc[{'lead': 'V2', 'time': slice(5, None)}] = 0
    assert 'off for a part: V2' in measure(off).quality.iloc[0]
    cut = x[0].copy(); top = float(cut.sel(lead='V4').max())
    cut.loc[{'lead': 'V4'}] = cut.sel(lead='V4').clip(None, .3*top)
    assert 'clipping: V4' in measure(cut).quality.iloc[0]


def test_any_two_limb_leads_give_an_axis(x):
    full = measure(x)
    for pair in (['I', 'III'], ['I', 'aVF'], ['i', 'ii']):
        two = x.sel(lead=pair) if pair[0] == 'I' else x.sel(lead=['I', 'II']).assign_coords(lead=pair)
        turn = (measure(two).qrs_axis_deg - full.qrs_axis_deg + 180) % 360 - 180
        assert turn.abs().max() < 15                                             # degrees: fewer leads put the ends of QRS a little elsewhere


@pytest.mark.parametrize('method', ['network', 'dwt', 'cwt'])
def test_p_and_t_belong_to_their_beat(x, method):
    table = delineate(x[:1], method=method)
    wide = table[(table.lead == 'II') & (table.beat >= 0)].pivot_table(index='beat', columns='wave', values='peak_s')
    assert (wide.QRS - wide.P).dropna().between(0, .6).mean() > .9 and (wide['T'] - wide.QRS).dropna().between(0, .7).mean() > .9       # s


def test_drawing_asks_which_record(x):
    marks = delineate(x)
    with pytest.raises(ValueError, match='choose one with record='): draw_waves(x[0].drop_vars('record').sel(lead=['II']), marks)
    assert len(draw_waves(x[1].sel(lead=['II']), marks).axes[0].lines) < 60


def test_long_records_keep_their_waves_beside_each_other():
    "A wave belongs to a beat of its own record, however long the records are (20,000 s here)."
    from deepsynthbody_nb.signals.delineate import _beats
    starts = np.arange(0, 20_000, .8)                                        # s, one beat after the other
    waves = dict(record=[], lead=[], kind=[], onset_s=[], offset_s=[])
    for record in (0, 1, 2):
        for kind, onset, length in ((1, .10, .10), (2, .25, .09), (3, .45, .16)):
            for name, values in dict(record=record, lead=0, kind=kind, onset_s=starts + onset, offset_s=starts + onset + length).items():
                waves[name].append(np.broadcast_to(values, len(starts)))
    waves = {name: np.concatenate(parts) for name, parts in waves.items()}
    of_record, at, beat_of = _beats(waves)
    assert len(of_record) == 3*len(starts) and (beat_of >= 0).all()
    assert (of_record[beat_of] == waves['record']).all()


def test_a_record_without_sharp_waves_is_measured():
    from scipy.signal import butter, sosfiltfilt
    hearts = ecg.sample(6, seed=5, generator='conditional', condition=dict(noise='none', superclass=['NORM']), leads=8)
    smooth = hearts.copy(data=sosfiltfilt(butter(2, 5, fs=500, output='sos'), hearts.values).astype('float32'))    # below 5 Hz
    marks = over_leads(delineate(smooth))
    assert len(marks) and marks[['onset_s', 'peak_s', 'offset_s']].notna().all(axis=None)      # its leads are far apart
    assert measure(smooth).heart_rate_bpm.between(40, 120).all()
