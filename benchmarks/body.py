"""Are generated hearts, pulses and breaths coupled as real ones are?

    python benchmarks/body.py coupling | rates | shapes | early | speed [--save]

The folder bidmc lies in DEEPSYNTHBODY_VITAL_SIGNS. The flow of pulses was trained on 20 of its 28 usable subjects; the
other eight, `HELD`, are reported apart. With --save the tables go to the generator's card.
"""
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from pulse import RATE, subjects

import deepsynthbody_nb.cardiovascular.pulse as pulse
from deepsynthbody_nb.evaluation.coupling import coupling
from deepsynthbody_nb.signals.breath import breath_rate, modulations
from deepsynthbody_nb.signals.leads import as_ecg
from deepsynthbody_nb.signals.pulse import beat_of_each, find_pulses, measure_pulse, r_peaks

CARD = Path(__file__).resolve().parent.parent/'deepsynthbody_nb'/'weights'/'body'
HELD = (4, 7, 10, 11, 27, 36, 45, 46)  # of 28, drawn by default_rng(22)
SECONDS = 240


def people():
    for number, ecg, ppg, file in subjects():
        yield number, ecg[:SECONDS*RATE], ppg[:SECONDS*RATE], float(np.nanmedian(file['rr_ref'])), ecg


def like(r, breaths):
    "Requests for a body with a subject's rates."
    rate = float(np.clip(60/np.median(np.diff(r)), 40, 150))
    return dict(heart_rate_bpm=rate, respiratory_rate_bpm=float(np.clip(breaths, 5, 40)), rsa_ms=5.)


def coupling_jobs():
    "Figures of coupling: real pairs, pairs that are not, pulses for real hearts, and whole bodies."
    own = list(people())
    for k, (number, ecg, ppg, breaths, _) in enumerate(own):
        r, heights = r_peaks(ecg, RATE)
        other = own[(k + 1) % len(own)][2]
        follows = pulse.from_ecg(as_ecg(ecg[None].astype('float32'), RATE, ['II']), seed=number)
        body = pulse.sample(1, seconds=SECONDS, seed=number, rate=RATE, condition=like(r, breaths))
        pairs = {'real': (r, heights, ppg), 'shifted by 30 s': (r, heights, np.roll(ppg, 30*RATE)),
                 "somebody else's": (r, heights, other), 'pulse for a real heart': (r, heights, follows.ppg.values[0]),
                 'body': (*r_peaks(body.ecg.sel(lead='II').values[0], RATE), body.ppg.values[0])}
        for name, (at, high, wave) in pairs.items():
            row = coupling(at, high, wave.astype(float), RATE)
            sd = 1000*np.std(np.diff(at))
            yield pd.DataFrame([dict(pair=name, subject=number, held=number in HELD, rr_sd_ms=round(sd, 1)) | row.round(4).to_dict()])


def rates():
    "Requested breaths and heartbeats, found again in ECG and pulse; 120 s each."
    for seed, asked in enumerate(np.repeat(np.arange(10, 31, 2), 6)):
        heart = float(np.random.default_rng(seed).uniform(max(55, 2.4*asked), 100))
        x = pulse.sample(1, seconds=120, seed=1000 + seed, rate=RATE,
                         condition=dict(respiratory_rate_bpm=float(asked), heart_rate_bpm=heart))
        at, heights = r_peaks(x.ecg.sel(lead='II').values[0], RATE)
        true = 60*len(breaths_in(x))/120
        ecg = breath_rate(modulations(r_peaks_s=at, r_heights=heights, seconds=120)).breaths_bpm
        ppg = breath_rate(modulations(pulse=x.ppg, seconds=120)).breaths_bpm
        found = measure_pulse(x.ppg).pulse_rate_bpm.iloc[0]
        yield pd.DataFrame([dict(asked=asked, drawn=round(true, 2), ecg=round(ecg, 2), ppg=round(ppg, 2), heart=round(heart, 1),
                                 heart_ecg=round(60/np.median(np.diff(at)), 1), heart_ppg=round(found, 1))])


def breaths_in(x):
    "Breaths that begin, in a body's respiration."
    inside = x.respiration.values[0] > .3
    return np.flatnonzero(np.diff(inside.astype(int)) == 1)


def pulses_in(ppg):
    "Pulses aligned at their onsets, (n, 90): 15 samples before to 75 after, from 0 at the onset to 1."
    beats, found = find_pulses(ppg, RATE), []
    for onset, high in zip(beats.onset_s, beats.amplitude, strict=True):
        at = onset*RATE + np.arange(-15, 75)
        if at[0] >= 0 and at[-1] < len(ppg) and high > 0:
            wave = np.interp(at, np.arange(len(ppg)), ppg)
            found.append((wave - wave[15])/high)
    return np.array(found)


def shapes():
    "Can a classifier separate real pulses from made ones? Trained on some subjects and seeds, tested on others."
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    own = list(people())
    made = {}
    for number, ecg, ppg, _, _ in own:
        follows = pulse.from_ecg(as_ecg(ecg[None].astype('float32'), RATE, ['II']), seed=100 + number)
        made[number] = pulses_in(follows.ppg.values[0].astype(float))
    real = {number: pulses_in(ppg.astype(float)) for number, _, ppg, _, _ in own}
    numbers = np.array([o[0] for o in own])
    folds = np.array_split(np.random.default_rng(0).permutation(numbers), 7)
    for name, model in dict(linear=make_pipeline(StandardScaler(), LogisticRegression(C=.1, max_iter=2000)),
                            trees=HistGradientBoostingClassifier(max_iter=150, random_state=0)).items():
        for fold in folds:
            def stacked(keys):
                x = np.concatenate([v for k in keys for v in (real[k], made[k])])
                y = np.concatenate([v for k in keys for v in (np.ones(len(real[k])), np.zeros(len(made[k])))])
                return x, y
            x, y = stacked([k for k in numbers if k not in fold])
            model.fit(x, y)
            tx, ty = stacked(fold)
            yield pd.DataFrame([dict(classifier=name, subjects=' '.join(map(str, sorted(fold))), pulses=len(tx),
                                     auroc=round(roc_auc_score(ty, model.predict_proba(tx)[:, 1]), 4))])


def early():
    "How tall the pulse of an early beat is, beside its neighbours: real subjects, and bodies with ectopic beats."
    for number, ecg, ppg, _, _ in people():
        body = pulse.sample(1, seconds=SECONDS, seed=number, rate=RATE, condition=dict(ectopic_per_min=6))
        waves = {'real': (r_peaks(ecg, RATE)[0], ppg), 'body': (body.time.values[body.beat[0].values > 0], body.ppg.values[0])}
        for name, (r, wave) in waves.items():
            beats = find_pulses(wave.astype(float), RATE)
            of, high = beat_of_each(beats, r), np.log(beats.amplitude.clip(lower=1e-6))
            beside = high - high.rolling(15, center=True, min_periods=3).median()
            rr = np.diff(r)
            soon = (of > 0) & (rr[of - 1] < .85*np.median(rr))
            if soon.sum() > 3:
                yield pd.DataFrame([dict(pair=name, subject=number, early=int(soon.sum()), height=round(np.exp(beside[soon].median()), 3))])


def speed():
    for seconds in (10, 60, 600):
        pulse.sample(1, seconds=10, seed=0)
        started = time.time()
        pulse.sample(1, seconds=seconds, seed=1)
        yield pd.DataFrame([dict(seconds=seconds, took_s=round(time.time() - started, 2))])


JOBS = dict(coupling=coupling_jobs, rates=rates, shapes=shapes, early=early, speed=speed)

if __name__ == '__main__':
    job = next(word for word in sys.argv[1:] if not word.startswith('--'))
    table = pd.concat(list(JOBS[job]()), ignore_index=True)
    if '--save' in sys.argv:
        table.to_csv(CARD/f'{job}.csv', index=False)
    pd.set_option("display.width", 200, "display.max_columns", 20)
    if job == 'coupling':
        print(table.groupby('pair').median(numeric_only=True).round(3))
        print(table[table.held].groupby('pair').median(numeric_only=True).round(3))
    elif job == 'rates':
        off = table[['ecg', 'ppg']].sub(table.asked, axis=0).abs()
        print(off.groupby(table.asked).mean().round(2), off.mean().round(2), off.max(),
              (table[['heart_ecg', 'heart_ppg']].sub(table.heart, axis=0)).abs().mean().round(2))
    elif job == 'shapes':
        print(table.groupby('classifier').auroc.describe().round(3))
    elif job == 'early':
        print(table.groupby('pair').height.describe().round(2))
    else:
        print(table)
