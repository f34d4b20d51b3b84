"Parity with the published program, package deepfake-ecg 1.1.2: `deepfakeecg.Generator` and `deepfakeecg.generate`."
import numpy as np, pytest, torch
import deepsynthbody_nb.cardiovascular.ecg as ecg
from deepsynthbody_nb.generators.pulse2pulse import load_pulse2pulse, make_ecgs, noise_stream, published_weights
from deepsynthbody_nb.signals.files import read
from conftest import ROOT

pytestmark = pytest.mark.filterwarnings('ignore:.*kaiming_normal.*')
NOISES = 20  # records compared


@pytest.fixture(scope='module')
def published():
    import deepfakeecg
    network = deepfakeecg.Generator()
    network.load_state_dict(torch.load(published_weights(), map_location='cpu', weights_only=True)['stat_dict'])
    return network.eval()


@torch.inference_mode()
def test_network_equals_the_published_one_within_1_microvolt(published):
    stream = noise_stream(123)
    for _ in range(NOISES):
        noise = next(stream)[None]
        assert float((load_pulse2pulse()(noise) - published(noise)).abs().max())*6000 < 1     # µV


def test_generate_writes_what_the_published_program_writes(tmp_path):
    import deepfakeecg
    theirs = tmp_path/'theirs'; theirs.mkdir()
    torch.manual_seed(0); deepfakeecg.generate(NOISES, str(theirs), start_id=0)
    ours = ecg.generate(NOISES, tmp_path/'ours', start_id=0, seed=0, progress=False)
    gap = np.concatenate([np.abs(np.loadtxt(p) - np.loadtxt(theirs/p.name)) for p in ours])
    assert len(ours) == NOISES and gap.max() <= 1 and (gap > 0).mean() <= .001                # µV; share of the integers


def test_the_call_of_the_seed_framework_works_unchanged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ecg.generate(5, ".", start_id=0, device="cpu")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f'{i}{suffix}' for i in range(5) for suffix in ('.asc', '.json'))   # and its mark beside each
    assert np.loadtxt('4.asc').shape == (5000, 8)


@pytest.mark.parametrize('batch_size', [1, 2, 3, 7])
def test_a_record_does_not_depend_on_its_batch(batch_size):
    whole = next(make_ecgs(7, seed=5))
    parts = [record for batch in make_ecgs(7, seed=5, batch_size=batch_size) for record in batch]
    assert all(a.identical(b) for a, b in zip(whole, parts, strict=True))


def test_two_partial_runs_equal_one(tmp_path):
    whole = ecg.generate(6, tmp_path/'whole', seed=9, batch_size=4)
    parts = ecg.generate(2, tmp_path/'parts', seed=9) + ecg.generate(4, tmp_path/'parts', start_id=2, seed=9, batch_size=3)
    assert [p.read_bytes() for p in whole] == [p.read_bytes() for p in parts]


def test_seeds_leave_the_global_generator_alone():
    torch.manual_seed(1); expected = torch.rand(3)
    torch.manual_seed(1); ecg.sample(1, seed=3)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize('format, suffix', [('asc', '.asc'), ('wfdb', '.hea'), ('mat', '.hea'), ('csv', '.csv'), ('npy', '.npy')])
@pytest.mark.parametrize('leads', [8, 12])
def test_every_format_holds_the_same_record(tmp_path, format, suffix, leads):
    path, = ecg.generate(1, tmp_path, start_id=1, seed=2, leads=leads, format=format)
    assert path.name == '1' + suffix
    np.testing.assert_allclose(read(path), ecg.sample(2, seed=2, leads=leads)[1], atol=.00051)   # mV: derived leads have half µV, files whole ones


@pytest.mark.parametrize('wrong, says', [
    (dict(num_ecg=-1), 'num_ecg must be a whole number, at least 0; got -1'), (dict(num_ecg=2.5), 'got 2.5'), (dict(start_id=-3), 'start_id must be'),
    (dict(seed='x'), "seed must be a whole number.*got 'x'"), (dict(seed=-1), 'seed must be'), (dict(device='abacus'), "unknown device 'abacus'; known are auto, cpu"),
    (dict(format='tiff'), "unknown format 'tiff'; known are asc, wfdb"), (dict(leads=3), 'leads must be 8, 12'), (dict(leads=['V9']), "unknown leads .'V9'"),
    (dict(leads=['I', 'II']), 'carries no lead names'), (dict(leads='II'), 'carries no lead names'), (dict(leads=['I', 'I']), 'each once'), (dict(leads=[]), 'at least one lead'), (dict(leads=None), 'leads must be 8, 12'), (dict(seed=2**64), 'seed must be below'), (dict(generator='stylegan'), "unknown generator 'stylegan'; known are .*pulse2pulse"),
    (dict(condition={'sex': 'female'}), 'takes no condition'), (dict(batch_size=0), 'batch_size must be'),
])
def test_generate_names_the_wrong_argument(tmp_path, wrong, says):
    with pytest.raises(ValueError, match=says): ecg.generate(**dict(num_ecg=1, out_dir=tmp_path/'out') | wrong)
    assert not (tmp_path/'out').exists()                                                     # nothing is made before all is checked


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has a GPU')
def test_an_absent_device_is_named():
    with pytest.raises(ValueError, match="'cuda' is not on this machine"): ecg.sample(1, device='cuda')


def test_the_shipped_sample_is_record_5_of_seed_0(tmp_path):
    again, = ecg.generate(1, tmp_path, start_id=5, seed=0, leads=12, format='wfdb')
    np.testing.assert_allclose(read(again), read(ROOT/'data'/'sample.hea'), atol=.0021)      # mV: 1 µV in I and II is 1.5 in the leads computed from them, rounded 2
    assert read(ROOT/'data'/'sample.hea').attrs['comments'] == ['synthetic: generator pulse2pulse, seed 0, record 5']
