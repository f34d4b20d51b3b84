"""Beats in real pulse waves, and respiratory rates from ECG and pulse, beside neurokit2.

    python benchmarks/pulse.py

The folder bidmc lies in DEEPSYNTHBODY_VITAL_SIGNS. Beats: those that the data set marks, within 0.1 s; every sample of
the usable subjects. Respiratory rates: windows of 32 s with a reference that the data set marks as reliable.
"""
import os
import time
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pandas as pd

from deepsynthbody_nb.signals.breath import breath_rate, modulations
from deepsynthbody_nb.signals.pulse import as_pulse, find_pulses, r_peaks

HERE = Path(os.environ['DEEPSYNTHBODY_VITAL_SIGNS'], 'bidmc')
RATE = 125


def subjects():
    "ECG, pulse wave and the file of each usable subject."
    items = pd.read_csv(HERE/'items.csv')
    for number in items.subject[items.usable == 1]:
        file = np.load(HERE/f'bidmc{number:02}.npz')
        ecg, pulse = (file[k].astype(float)*file[f'{k}_scale_offset'][0] + file[f'{k}_scale_offset'][1] for k in ('ecg', 'ppg'))
        yield number, ecg, pulse, file


def matched(found, true, tolerance=.1):
    "F1 of times, each of which counts once."
    hits = i = j = 0
    while i < len(found) and j < len(true):
        if abs(found[i] - true[j]) <= tolerance:
            hits, i, j = hits + 1, i + 1, j + 1
        elif found[i] < true[j]:
            i += 1
        else:
            j += 1
    return 2*hits/max(len(found) + len(true), 1)


def main():
    beats, rates, took = [], [], 0
    for number, ecg, pulse, file in subjects():
        started = time.time()
        found = find_pulses(pulse, RATE)
        took += time.time() - started
        cleaned = nk.ppg_clean(pulse, RATE)
        theirs = {name: nk.ppg_findpeaks(cleaned, RATE, method=name)['PPG_Peaks']/RATE for name in ('elgendi', 'charlton')}
        for name, at in dict(ours=found.peak_s.to_numpy(), **theirs).items():
            beats.append(dict(subject=number, finder=name, f1=matched(np.asarray(at), file['ppg_peak_t'])))
        r, heights = r_peaks(ecg, RATE)
        of = dict(seconds=len(ecg)/RATE)
        marks = dict(
            ecg=modulations(r_peaks_s=r, r_heights=heights, **of),
            pulse=modulations(pulses=found, pulse=as_pulse(pulse, RATE), **of))
        marks['both'] = marks['ecg'] | marks['pulse']
        for start, stop, true, sure in zip(file['win_start'], file['win_end'], file['rr_ref'], file['rr_ref_ok'], strict=True):
            if not sure:
                continue
            own = {name: breath_rate(which, start, stop) for name, which in marks.items()}
            alone = own['both'].drop(['breaths_bpm', 'sureness'])
            row = dict(subject=number, true=true, sureness=own['both'].sureness) | alone.to_dict()
            rates.append(row | {name: one.breaths_bpm for name, one in own.items()})
    beats, rates = pd.DataFrame(beats), pd.DataFrame(rates)
    print(f'beats, F1 by subject ({beats.subject.nunique()} of them); ours took {took:.1f} s for all')
    print(beats.groupby('finder').f1.describe()[['mean', 'min', '25%', '50%']].round(3), '\n')
    off = rates.drop(columns=['subject', 'true', 'sureness']).sub(rates.true, axis=0)
    table = pd.DataFrame(dict(mae=off.abs().mean(), median=off.abs().median(), bias=off.mean(), sd=off.std(),
                              subjects=off.abs().groupby(rates.subject).mean().median()))
    print(f'respiratory rate, breaths/min, {len(rates)} windows')
    print(table.round(2))
    sure = rates.sureness > rates.sureness.median()
    print(f"surer half: MAE {off.both[sure].abs().mean():.2f}, sd {off.both[sure].std():.2f}")


if __name__ == '__main__':
    main()
