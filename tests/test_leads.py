"What holds for every ECG, whatever its leads."
import itertools
import numpy as np, pytest, xarray as xr
from deepsynthbody_nb.signals.leads import FRANK, LEADS_12, LIMB, as_ecg, einthoven_error, to_8_lead, to_12_lead, to_frank, to_leads


@pytest.fixture(scope='module')
def eight(): return as_ecg(np.random.default_rng(0).normal(size=(3, 8, 200)))


def test_laws_of_einthoven_and_goldberger(eight):
    twelve = to_12_lead(eight)
    assert float(abs(twelve.sel(lead=['aVR', 'aVL', 'aVF']).sum('lead')).max()) < 1e-6      # mV, float32
    assert float(einthoven_error(twelve).max()) < 1e-6                                       # mV, float32


def test_eight_survive_the_way_through_twelve(eight): assert to_8_lead(to_12_lead(eight)).identical(eight)


def test_what_is_lazy_stays_lazy(eight):
    "A Zarr store that does not fit into memory is converted piece by piece."
    lazy = to_12_lead(eight.chunk(record=1))
    assert lazy.chunks and lazy.compute().identical(to_12_lead(eight))


@pytest.mark.parametrize('pair', list(itertools.combinations(LIMB, 2)))
def test_any_two_limb_leads_give_the_others(eight, pair):
    twelve = to_12_lead(eight)
    kept = twelve.sel(lead=[*pair, *LEADS_12[6:]])
    np.testing.assert_allclose(to_12_lead(kept), twelve, atol=5e-6)                          # mV, float32


@pytest.mark.parametrize('lead', LIMB)
def test_one_limb_lead_gives_none(eight, lead):
    one = to_12_lead(eight).sel(lead=[lead])
    with pytest.raises(ValueError, match='not determined'): to_leads(one, [other for other in LIMB if other != lead][:1])
    assert to_leads(one, [lead]).identical(one)


def test_order_and_what_rides_along(eight):
    x = eight.assign_coords(diagnosis=('record', ['a', 'b', 'c'])).assign_attrs(model='m', seed=3)
    out = to_12_lead(x.isel(lead=[7, 3, 1, 0, 2, 4, 6, 5]).transpose('time', 'lead', 'record'))
    assert tuple(out.lead.values) == LEADS_12 and out.dims == ('record', 'lead', 'time')
    assert list(out.diagnosis.values) == ['a', 'b', 'c'] and out.attrs['seed'] == 3 and out.dtype == np.float32


def test_missing_samples_stay_in_their_leads(eight):
    x = eight.copy(); x.loc[{'lead': 'I'}] = np.nan
    twelve = to_12_lead(x)
    assert sorted(str(n) for n in twelve.lead[np.isnan(twelve).any(('record', 'time'))].values) == ['I', 'III', 'aVF', 'aVL', 'aVR']


def test_frank_is_linear_and_named(eight):
    out = to_frank(2*eight)
    assert tuple(out.lead.values) == FRANK
    np.testing.assert_allclose(out, 2*to_frank(to_12_lead(eight)), atol=1e-5)                # mV, float32


@pytest.mark.parametrize('x, says', [
    (np.zeros((3, 500)), 'has 3 leads'), (np.zeros(5000), r'has the shape|one has \(5000,\)'), (np.zeros((8, 10), 'int16'), '[Dd]ivide by 1000'),
    (xr.DataArray(np.zeros((8, 10)), dims=('lead', 'time')), 'have no names'),
    (xr.DataArray(np.zeros((2, 10)), dims=('lead', 'time'), coords={'lead': ['I', 'I']}), 'may occur once'),
    (xr.DataArray(np.zeros((1, 10)), dims=('lead', 'time'), coords={'lead': ['I']}, attrs={'units': 'uV'}), "units='uV'"),
])
def test_as_ecg_asks_instead_of_guessing(x, says):
    with pytest.raises(ValueError, match=says): as_ecg(x)


@pytest.mark.parametrize('leads, says', [(['V7'], "unknown leads .'V7'"), (['V3'], "'V3'. are not determined")])
def test_to_leads_names_what_it_cannot_do(eight, leads, says):
    with pytest.raises(ValueError, match=says): to_leads(eight.drop_sel(lead='V3'), leads)
