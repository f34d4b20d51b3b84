"Training: whole after kills, the same from two processes, clear about what is wrong."
import json, os, random, signal, socket, subprocess, sys, time
import numpy as np, pandas as pd, pytest, torch
import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.catalogue.shelf import find
from deepsynthbody_nb.command_line import main
from deepsynthbody_nb.signals.files import write
from deepsynthbody_nb.training.gan import GAN, GANLesson, two_seconds
from deepsynthbody_nb.training.process import train
from deepsynthbody_nb.training.records import hold_back, public_table, read_records, resample
from deepsynthbody_nb.training.runs import Run, plan_run, start

KILLS = int(os.environ.get('KILLS', 1))
SMALL = dict(steps=40, batch=8, save_every=5, sample_every=20, critic_steps=2, threads=1, tracking=None)


@pytest.fixture(scope='module')
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp('records')
    ecg.generate(4, folder, seed=0, format='wfdb')
    return folder


@pytest.fixture(scope='module')
def whole(tmp_path_factory, records):
    "A run in one piece."
    run = plan_run(tmp_path_factory.mktemp('whole')/'run', 'small', records, **SMALL)
    before = torch.get_num_threads()
    try: assert train(run.folder, say=lambda *a: None) == 'finished'
    finally: torch.set_num_threads(before)
    return run


def weights(run): return torch.load(run.folder/'last.pt', weights_only=True)['networks']
def same(a, b): return all(torch.equal(a[n][k], b[n][k]) for n in a for k in a[n])


def test_killed_at_random_and_resumed_it_ends_the_same(tmp_path, records, whole, tell):
    run, survived = start(tmp_path/'run', 'small', records, **SMALL), []
    for enough in sorted(random.choices(range(SMALL['steps']), k=KILLS)):
        while run.state()['state'] in ('starting', 'reading') or run.state()['state'] == 'running' and len(run.numbers()) < enough: time.sleep(.02)
        at = run.state()
        if at['state'] == 'running': os.kill(at['process'], signal.SIGKILL)
        while run.state()['state'] == 'running': time.sleep(.05)
        survived.append(len(run.numbers()))
        if run.state()['state'] == 'killed': run.resume()
    assert run.wait(300)['state'] == 'finished', run.said()
    assert same(weights(run), weights(whole))
    assert run.numbers().equals(whole.numbers()) and run.checkpoints() == whole.checkpoints()
    tell(f"training killed {KILLS} times, with {', '.join(map(str, survived))} of {SMALL['steps']} steps done, then resumed: identical weights")


def test_paused_stopped_and_found_again(tmp_path, records, whole):
    run = start(tmp_path/'run', 'small', records, **SMALL)
    run.pause()
    assert run.wait(120)['state'] == 'paused'
    with pytest.raises(ValueError, match='is not running, it is paused'): run.pause()
    assert Run(run.folder).resume().wait(120)['state'] == 'finished' and same(weights(run), weights(whole))
    with pytest.raises(ValueError, match='is finished'): run.resume()


@pytest.mark.parametrize('model, steps, several', [('small', 12, 'devices'), ('conditional', 4, 'nodes')])
def test_two_processes_learn_what_one_does(tmp_path, records, tell, model, steps, several):
    "In double precision, since Adam makes much of a rounding error: what is left is 1e-16, grown by the game."
    one, two = (plan_run(tmp_path/str(n), model, records, steps=steps, sample_every=steps, batch=8, threads=1, accelerator='cpu', precision='64-true', tracking=None, **{several: n}) for n in (1, 2))
    with socket.socket() as free: free.bind(('127.0.0.1', 0)); port = free.getsockname()[1]
    begun = lambda rank: subprocess.Popen([sys.executable, '-m', 'deepsynthbody_nb.training', two.folder], env=os.environ | dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), NODE_RANK=str(rank)))
    processes = [begun(0), *([begun(1)] if several == 'nodes' else [])]      # two machines, which here are one
    try:
        assert train(one.folder, say=lambda *a: None) == 'finished'
        assert {p.wait(200) for p in processes} == {0}
    finally:
        for p in processes: p.kill()
    apart = float((abs(one.numbers() - two.numbers())/abs(one.numbers())).max().max())
    assert len(two.numbers()) == steps and apart < 1e-6
    tell(f'two processes (gloo, as two {several}) and one, same global batch, {steps} steps of {model!r} in double precision: numbers differ by at most {apart:.0e} of themselves')


@pytest.mark.parametrize('model', ['small', 'conditional'])
def test_mixed_precision_learns_much_the_same(tmp_path, records, model):
    numbers = {}
    for precision in ('32-true', 'bf16-mixed'):
        run = plan_run(tmp_path/precision, model, records, steps=3, sample_every=3, batch=4, threads=1, accelerator='cpu', precision=precision, tracking=None)
        assert train(run.folder, say=lambda *a: None) == 'finished'
        numbers[precision] = run.numbers()
    exact, mixed = numbers.values()
    assert not exact.equals(mixed) and np.isfinite(mixed).all(axis=None) and np.allclose(exact.iloc[0], mixed.iloc[0], rtol=.1, atol=.01)   # later steps drift apart


@pytest.mark.parametrize('n', [1, 3])
def test_few_records_are_enough(n):
    game = GANLesson(two_seconds(ecg.sample(n, seed=0)), find('small'), critic_steps=1, batch=4)
    assert all(np.isfinite(v) for v in (game.step(0) | game.step(1)).values())


def test_what_cannot_be_learnt_from_is_named(tmp_path):
    x = ecg.sample(3, seed=0)
    with pytest.raises(ValueError, match='has no ECG to train on'): read_records(tmp_path, progress=False)
    with pytest.raises(FileNotFoundError, match='there is no such folder'): read_records(tmp_path/'none', progress=False)
    gap = x.copy(); gap[1, 3, 7] = np.nan
    with pytest.raises(ValueError, match="record '1': has NaN"): read_records(gap, progress=False)
    assert len(read_records(gap, leave_out=True, progress=False)) == 2
    write(x[0], tmp_path/'a.hea'); write(resample(x[1], 250), tmp_path/'b.csv')
    mixed = read_records(tmp_path, progress=False)
    assert mixed.ecg.shape == (2, 8, 5000) and 'resampled from 250 to 500 Hz' in mixed.steps
    (tmp_path/'torn.hea').write_text('torn 8 500 5000\n'); (tmp_path/'torn.dat').write_bytes(b'')
    with pytest.raises(ValueError, match="record 'torn': .*torn.hea.*leave_out=True"): read_records(tmp_path, progress=False)
    assert list(read_records(tmp_path, leave_out=True, progress=False).left_out) == ['torn']
    (tmp_path/'torn.hea').unlink(); (tmp_path/'torn.dat').unlink()
    label = lambda **columns: pd.DataFrame(dict(record=['a']) | columns)
    for table, said in ((label().assign(record='c'), "names 'c', and there is no such record"), (label(superclass='XYZ'), "unknown class 'XYZ'"), (label(sex='x'), "unknown sex 'x'"), (pd.concat([label()]*2), 'two rows')):
        with pytest.raises(ValueError, match=said): read_records(tmp_path, table, progress=False)


def test_bad_plans_are_one_sentence(tmp_path, records, capsys):
    for words, said in ((['--model', 'stylegan'], "unknown model 'stylegan'"), (['--steps', '0'], 'steps must be'), (['--precision', '16-mixed'], "unknown precision '16-mixed'"), (['--tracking', 'somewhere'], 'tracking must be'), (['--devices', '3', '--model', 'small', '--accelerator', 'cpu', '--batch', '4', '--steps', '1'], 'cannot be divided equally among 3 processes')):
        assert main(['train', str(tmp_path/words[1]), '--records', str(records), *words]) == 2 and said in capsys.readouterr().err
    run = plan_run(tmp_path/'changed', 'small', records, **SMALL | dict(steps=1))
    train(run.folder, say=lambda *a: None)
    kept = json.loads((run.folder/'records.json').read_text())
    (run.folder/'records.json').write_text(json.dumps(kept | dict(sha256='0')))
    with pytest.raises(ValueError, match='these are not the records'): train(run.folder)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, records):
    disk = tmp_path/'disk'; disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=9m', 'tmpfs', disk], capture_output=True).returncode: pytest.skip('this user may not mount a file system')
    try:
        run = plan_run(disk/'run', 'small', records, **SMALL | dict(sample_every=40, save_every=10))
        filled = []
        def fill(k): # behind the first checkpoint nearly nothing is left
            if (run.folder/'last.pt').exists() and not filled: filled.append((disk/'filling').write_bytes(bytes(int(.999*os.statvfs(disk).f_bavail*os.statvfs(disk).f_frsize))))
        step = GAN.step
        with pytest.MonkeyPatch.context() as m:
            m.setattr(GAN, 'step', lambda self, k: (fill(k), step(self, k))[1])
            with pytest.raises(OSError, match='could not be written.*the one before is whole'): train(run.folder, say=lambda *a: None)
        assert torch.load(run.folder/'last.pt', weights_only=True)['step'] == 10 and not list(run.folder.glob('.writing-*'))
        (disk/'filling').unlink()
        assert train(run.folder, say=lambda *a: None) == 'finished'
    finally: subprocess.run(['umount', '--lazy', disk], check=True)


def test_a_tracking_server_that_does_not_answer(tmp_path, records):
    run = plan_run(tmp_path/'run', 'small', records, **SMALL | dict(steps=2, tracking='http://127.0.0.1:9'))
    said = []
    assert train(run.folder, say=said.append) == 'finished'
    assert sum('cannot be reached' in text for text in said) == 1


def test_mlflow_is_told(tmp_path, records):
    from mlflow import MlflowClient
    run = plan_run(tmp_path/'run', 'small', records, **SMALL | dict(steps=4, sample_every=4, tracking='local'))
    train(run.folder, say=lambda *a: None)
    kept = json.loads((run.folder/'mlflow.json').read_text())
    client = MlflowClient(kept['address'])
    found = client.get_run(kept['run'])
    assert found.info.status == 'FINISHED' and found.data.params['model'] == 'small' and 'spread' in found.data.metrics
    assert [m.value for m in client.get_metric_history(kept['run'], 'wasserstein')] == pytest.approx(list(run.numbers().wasserstein))
    assert [f.path for f in client.list_artifacts(kept['run'], 'samples')] == ['samples/0000004.png']


def test_mlflow_is_told_of_failure(tmp_path, records):
    from mlflow import MlflowClient
    run = plan_run(tmp_path/'run', 'small', records, **SMALL | dict(steps=4, save_every=2, tracking='local'))
    step, status = GAN.step, lambda kept: MlflowClient(kept['address']).get_run(kept['run']).info.status
    with pytest.MonkeyPatch.context() as m:
        m.setattr(GAN, 'step', lambda self, k: step(self, k) if k < 3 else 1/0)
        with pytest.raises(ZeroDivisionError): train(run.folder, say=lambda *a: None)
    assert run.state()['state'] == 'failed' and status(kept := json.loads((run.folder/'mlflow.json').read_text())) == 'FAILED'
    assert train(run.folder, say=lambda *a: None) == 'finished' and status(kept) == 'FINISHED'


def test_real_records_are_read(real_ecg):
    table = public_table(real_ecg/'ludb')
    found = read_records(real_ecg/'ludb'/'data', table, leave_out=True, progress=False)
    assert len(found) >= 145 and found.table.age.notna().mean() > .9 and 20 < float(found.table.HYP.sum())
    learn, held = hold_back(found)
    assert not set(learn.table.patient) & set(held.table.patient)


def test_the_shell_trains_and_goes_on(tmp_path, records):
    assert main(['train', str(tmp_path/'run'), '--records', str(records), '--model', 'small', '--steps', '3', '--batch', '4', '--tracking', 'none']) == 0
    assert main(['train', str(tmp_path/'run'), '--resume']) == 0
    assert main(['train', str(tmp_path/'other')]) == 2


def test_an_exported_run_is_a_generator(tmp_path, whole):
    from deepsynthbody_nb.bulk import make_set, verify
    from deepsynthbody_nb.records.provenance import sentence
    whole.export(tmp_path/'mine')
    x = ecg.sample(3, seed=1, leads=['II'], generator=tmp_path/'mine')
    assert x.shape == (3, 1, 256) and sentence(x[2]) == 'synthetic: generator run step 40, seed 1, record 2'
    assert x[2].equals(ecg.sample(3, seed=1, leads=['II'], generator=tmp_path/'mine')[2])
    folder = make_set(5, tmp_path/'set', generator=tmp_path/'mine', leads=['II'], seed=1, progress=False)
    assert len(verify(folder, generator=tmp_path/'mine', progress=False)) == 0
    with pytest.raises(ValueError, match="makes only II; pass leads"): ecg.sample(1, generator=tmp_path/'mine')
