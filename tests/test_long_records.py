"Long records: the beats of pieces are those of the whole, memory does not grow with the hours, a page shows each minute."
import subprocess
import sys

import numpy as np
import pytest

from deepsynthbody_nb.cardiovascular import ecg
from deepsynthbody_nb.records.provenance import sentence
from deepsynthbody_nb.signals.delineate import delineate
from deepsynthbody_nb.signals.files import read, write
from deepsynthbody_nb.signals.leads import as_ecg
from deepsynthbody_nb.signals.long_records import LongRecord, delineate_long, draw_disclosure
from deepsynthbody_nb.signals.retiming import going_on, loops_of


def holter(minutes, seed=3):
    "A heart that goes on, each minute at another rate; three leads at 250 Hz."
    loop, = loops_of(ecg.sample(1, seed=seed, leads=8)).values()
    rng = np.random.default_rng(seed)
    x = as_ecg(going_on(loop, rng.uniform(45, 140, minutes), rng)[[1, 2, 6], ::2], 250, ['II', 'V1', 'V5'])
    return x.assign_attrs(provenance='synthetic', model='pulse2pulse', seed=seed)


@pytest.mark.parametrize('piece_s', [41, 97.3, 150])
def test_pieces_have_the_beats_of_the_whole(piece_s, tmp_path, tell):
    path = write(holter(6), tmp_path/'day.hea')
    whole = delineate(read(path))
    pieces = delineate_long(LongRecord(path), piece_s=piece_s, progress=False)
    a, b = (m[m.lead.eq('all') & m.wave.eq('QRS')] for m in (whole, pieces))
    assert len(a) == len(b) and b.beat.is_monotonic_increasing and b.beat.is_unique
    moved = np.abs(a.peak_s.values - b.peak_s.values)
    assert moved.max() < .03
    counts = [m.groupby(['lead', 'wave']).size() for m in (whole, pieces)]
    assert (counts[0] - counts[1]).abs().max() <= .01*counts[0].max()       # a small wave may be found in one and not in the other
    tell(f'{len(a)} beats in pieces of {piece_s} s: the same as at once, moved by at most {1000*moved.max():.0f} ms')


def test_a_part_of_a_record(tmp_path):
    x = holter(3)
    part = delineate_long(LongRecord(x), begin=30, end=140, piece_s=45, progress=False)
    assert part.onset_s.min() >= 30 and part.offset_s.max() <= 140
    assert sentence(LongRecord(write(x, tmp_path/'a.hea')).piece(1, 2)) == sentence(x)


def test_memory_does_not_grow_with_the_hours(tmp_path, tell):
    x = holter(5)
    code = """if True:
        import sys
        from deepsynthbody_nb.signals.long_records import LongRecord, delineate_long
        beats = delineate_long(LongRecord(sys.argv[1]), piece_s=60, progress=False)
        peak = next(int(line.split()[1])/1000 for line in open('/proc/self/status') if line.startswith('VmHWM'))
        print('measured', beats.beat.max() + 1, peak)"""
    peaks = []
    for times in (1, 6):
        long = as_ecg(np.tile(x.values, times), 250, list(x.lead.values))
        path = write(long, tmp_path/f'{times}.hea')
        said = subprocess.run([sys.executable, '-W', 'ignore', '-c', code, path], capture_output=True, text=True, check=True).stdout
        beats, peak = map(float, said.split('measured ')[1].split())
        peaks.append(peak)
    assert beats > 1500 and peaks[1] < peaks[0] + 60                        # MB; the marks themselves are some of it
    tell(f'peak memory of delineating 5 and 30 minutes: {peaks[0]:.0f} and {peaks[1]:.0f} MB')


def test_a_page_says_where_it_comes_from(tmp_path):
    from PIL import Image
    draw_disclosure(LongRecord(holter(2)), lead='V1').savefig(tmp_path/'page.png')
    assert Image.open(tmp_path/'page.png').text['Description'].startswith('synthetic: generator pulse2pulse, seed 3')


@pytest.mark.parametrize('wrong, said', [(dict(begin=-1), 'begin must be'), (dict(end=999), 'end must be'), (dict(piece_s=5), 'piece_s must be')])
def test_wrong_stretches_are_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        delineate_long(LongRecord(holter(1)), progress=False, **wrong)
