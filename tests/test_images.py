"Images: every value survives the formats that promise it, every bad file gets one sentence, and the mark is always there."
import io
import json
import os
import re
import tarfile
import warnings
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pydicom
import pydicom.data
import pytest
import tifffile
import xarray as xr
from PIL import Image, ImageCms

from deepsynthbody_nb.images.dicom import read_dicom, windowed
from deepsynthbody_nb.images.draw import draw_difference, draw_images, film_strip, said_of, write_film
from deepsynthbody_nb.images.files import read, read_folder, read_mask, write, write_mask
from deepsynthbody_nb.images.pixels import (as_image, as_mask, from_bytes, paired, phantom, resize, spacing_mm, to_bytes,
                                            to_colour, to_grey, with_spacing)
from deepsynthbody_nb.records.provenance import edited, is_synthetic, made, sentence

STEP = 1/255                                                                 # one grey level of a byte
FLOAT = 1e-6                                                                 # float32 near 1
MARK = 'synthetic: generator phantom 1, seed 3, record 6'


@pytest.fixture(scope='module')
def pair():
    "Six phantoms of 48 x 40 pixels with masks, marks and a request."
    whole = phantom(6, size=48, seed=3, start=5)
    return whole.isel(x=slice(0, 40)).drop_vars(['x', 'y'], errors='ignore')


def shapes(values):
    "The four shapes an image may have."
    return dict(grey=values[0, ..., 0], colour=values[0], greys=values[..., 0], colours=values)


def apart(a, b):
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).max())


def save(values, path, **options):
    Image.fromarray(values).save(path, **options)
    return path


# --- pixels ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('shape', ['grey', 'colour', 'greys', 'colours'])
@pytest.mark.parametrize('kind', ['uint8', 'uint16'])
def test_bytes_there_and_back_are_exact(shape, kind):
    rng = np.random.default_rng(0)
    values = shapes(rng.integers(0, np.iinfo(kind).max, (5, 7, 9, 3), endpoint=True).astype(kind))[shape]
    np.testing.assert_array_equal(to_bytes(from_bytes(values), 8*values.itemsize), values)


@pytest.mark.parametrize('shape', ['grey', 'colour', 'greys', 'colours'])
def test_labelling_twice_changes_nothing(shape):
    x = as_image(shapes(np.random.default_rng(0).random((5, 7, 9, 3)))[shape])
    xr.testing.assert_identical(as_image(x), x)
    assert x.dtype == np.float32 and x.attrs == dict(units='1', space='sRGB' if 'colour' in shape else 'monochrome')
    assert x.dims[:-1 if 'colour' in shape else None] == ('record', 'y', 'x')[-2 - shape.endswith('s'):]


def test_dims_and_channels_go_by_name_not_by_place():
    values = np.random.default_rng(0).random((2, 3, 5, 7)).astype('float32')
    torch_way = as_image(values, dims=('record', 'channel', 'y', 'x'))
    np.testing.assert_array_equal(torch_way.values, np.moveaxis(values, 1, -1))
    opencv_way = xr.DataArray(np.moveaxis(values, 1, -1)[..., ::-1], dims=('record', 'y', 'x', 'channel'), coords=dict(channel=list('BGR')))
    np.testing.assert_array_equal(as_image(opencv_way).values, torch_way.values)


@pytest.mark.parametrize('values, says', [
    (np.zeros((4, 5), 'uint8'), r'from_bytes\(x\) divides by 255'), (np.zeros((4, 5), bool), r'as_mask\(x\)'),
    (np.zeros(4), r'has the shape \(y, x\)'), (np.zeros((0, 5)), 'has no pixels'), (np.zeros((3, 4, 5)), 'can be read in two ways'),
    (np.zeros((2, 3, 4, 5)), "Channels first: dims="), (np.zeros((2, 4, 5, 4)), r'with alpha: x\[\.\.\., :3\]'),
    (np.full((4, 5), 200.), 'from 200 to 200.*perhaps x/255'), (np.full((4, 5), 4e4), 'perhaps x/65535'), (np.full((4, 5), -.5), r'\(x \+ 1\)/2'),
    (np.full((4, 5), 1.2), r'x\.clip\(0, 1\)'), (np.full((4, 5), np.nan), '20 values of this image are missing'),
    (np.full((4, 5), np.inf), 'missing'), (xr.DataArray(np.zeros((4, 5)), dims=('lead', 'time')), 'has the dims'),
    (xr.DataArray(np.zeros((4, 5)), dims=('y', 'x'), attrs=dict(units='mV')), "says units='mV'"),
    (xr.DataArray(np.zeros((4, 5)), dims=('y', 'x'), attrs=dict(space='Lab')), "says space='Lab'"),
    (xr.Dataset(dict(image=(('y', 'x'), np.zeros((4, 5))))), 'an image is one array')])
def test_what_is_no_image_is_refused_in_one_sentence(values, says):
    with pytest.raises(ValueError, match=says):
        as_image(values)


@pytest.mark.parametrize('image, mask, says', [
    ((2, 4, 5), (2, 4, 6), r'2 × 4 × 5 \(record, y, x\) and the masks 2 × 4 × 6'), ((2, 4, 5), (3, 4, 5), 'every image needs its mask'),
    ((4, 5, 3), (4, 5, 3), 'no channel|images are')])
def test_masks_that_do_not_fit_are_refused(image, mask, says):
    with pytest.raises(ValueError, match=says):
        paired(np.zeros(image), np.zeros(mask, bool))


@pytest.mark.parametrize('values, says', [(np.array([[0, 255]]), 'x > 127'), (np.array([[-1, 0]]), '0 to 127'), (np.array([[.2]]), 'x > 0.5'),
                                          (np.zeros((2, 2, 2, 2), int), 'dims')])
def test_what_is_no_mask_is_refused(values, says):
    with pytest.raises(ValueError, match=says):
        as_mask(values)


@pytest.mark.parametrize('size', [(48, 40), (7, 100), 1, (31, 17)])
@pytest.mark.parametrize('how', ['nearest', 'box', 'bilinear', 'bicubic', 'lanczos'])
def test_resizing_is_pillows_and_keeps_labels(pair, size, how):
    new = resize(pair, size, how)
    rows, columns = size if isinstance(size, tuple) else (size, size)
    for k in (0, 5):
        theirs = Image.fromarray(pair.image.values[k, ..., 1]).resize((columns, rows), Image.Resampling[how.upper()])
        assert apart(new.image[k, ..., 1], np.clip(theirs, 0, 1)) <= FLOAT
        nearest = Image.fromarray(pair.mask.values[k].astype('uint8')).resize((columns, rows), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(new.mask[k], nearest)
    assert new.mask.dtype == np.int8 and is_synthetic(new) and is_synthetic(new.image) and is_synthetic(new.mask)


def test_millimetres_follow_the_pixels():
    x = with_spacing(as_image(np.zeros((8, 20))), (.5, .25))
    assert spacing_mm(resize(x, (4, 40))) == pytest.approx((1, .125))        # the same field, other pixels
    assert spacing_mm(x[::2]) == pytest.approx((1, .25))
    with pytest.raises(ValueError, match='positive number of mm'):
        with_spacing(x, 0)


def test_grey_is_pillows(pair):
    stored = to_bytes(pair.image[0])
    assert apart(to_grey(from_bytes(stored))*255, Image.fromarray(stored).convert('L')) <= .51
    xr.testing.assert_equal(to_grey(to_colour(to_grey(pair.image)))[0] > 1, to_grey(pair.image)[0] > 1)
    assert apart(to_grey(to_colour(to_grey(pair.image))), to_grey(pair.image)) <= FLOAT


def test_a_phantom_depends_on_its_seed_and_number_only():
    a, b = phantom(5, seed=9, size=32), phantom(2, seed=9, start=3, size=32)
    xr.testing.assert_identical(a.isel(record=slice(3, 5)), b)
    assert apart(phantom(1, seed=8, size=32).image, a.image[:1]) > .1


# --- files: what comes back -----------------------------------------------------------------------------------------

EXACT = {'.npy': 0, '.zarr': 0, '.png': STEP/2, '.tif': STEP/2, '.dcm': STEP/2, '.jpg': 16*STEP}  # the farthest that a value may move


@pytest.mark.parametrize('suffix', EXACT)
@pytest.mark.parametrize('colour', [True, False])
def test_every_format_keeps_pixels_mark_and_requests(tmp_path, pair, suffix, colour):
    x = pair.image[1] if colour else to_grey(pair.image)[1]
    x = with_spacing(x.assign_coords(centre='Östersund', size=float('nan')).assign_attrs(requests=['radius', 'centre', 'size']), (.5, .25))
    path = write(x, tmp_path/f'a{suffix}')
    back = read(path)
    assert apart(back, x) <= EXACT[suffix] + FLOAT and back.dims == x.dims
    assert sentence(back) == sentence(x) and sentence(x).startswith(MARK)
    assert float(back.radius) == float(x.radius) and back.centre.item() == 'Östersund' and back.record.item() == 6
    assert spacing_mm(back) == pytest.approx((.5, .25))
    assert {p.name for p in tmp_path.iterdir()} == {path.name} | ({'a.json'} if suffix == '.npy' else set())
    twice = read(write(back, tmp_path/f'b{suffix}'))
    assert apart(twice, back) <= (4*STEP if suffix == '.jpg' else 0) and sentence(twice) == sentence(x)


@pytest.mark.parametrize('suffix', ['.png', '.tif', '.dcm', '.npy', '.zarr'])
def test_bytes_go_through_files_unchanged(tmp_path, suffix):
    stored = np.random.default_rng(0).integers(0, 256, (33, 17, 3), dtype='uint8')
    for values in (stored, stored[..., 0]):
        path = tmp_path/f'{values.ndim}{suffix}'
        np.testing.assert_array_equal(to_bytes(read(write(from_bytes(values), path))), values)


@pytest.mark.parametrize('suffix', ['.png', '.tif', '.dcm'])
def test_sixteen_bits_go_through_files_unchanged(tmp_path, suffix):
    stored = np.random.default_rng(0).integers(0, 65536, (33, 17), dtype='uint16')
    path = write(from_bytes(stored), tmp_path/f'a{suffix}', bits=16)
    np.testing.assert_array_equal(to_bytes(read(path), 16), stored)
    with pytest.raises(ValueError, match='in colour 8'):
        write(from_bytes(np.stack([stored]*3, -1)), path, bits=16)


def test_floats_go_through_tiff_unchanged(tmp_path, pair):
    x = to_grey(pair.image)[0]
    np.testing.assert_array_equal(read(write(x, tmp_path/'a.tif', bits=32)).values, x.values)
    np.testing.assert_array_equal(tifffile.imread(tmp_path/'a.tif'), x.values)


def test_data_without_history_stays_without(tmp_path):
    for suffix in EXACT:
        back = read(write(as_image(np.zeros((8, 9))), tmp_path/f'a{suffix}'))
        assert 'provenance' not in back.attrs and sentence(back) == ''


def test_what_was_done_to_a_real_image_is_kept(tmp_path):
    x = edited(as_image(np.zeros((8, 9))), 'black corner cut off; 5 × 5 median')
    for suffix in EXACT:
        back = read(write(x, tmp_path/f'a{suffix}'))
        assert back.attrs['provenance'] == 'real, edited: black corner cut off; 5 × 5 median', suffix
        assert not is_synthetic(back)


@pytest.mark.parametrize('suffix', ['.npy', '.zarr'])
def test_several_records_in_one_file(tmp_path, pair, suffix):
    back = read(write(pair.image, tmp_path/f'a{suffix}'))
    np.testing.assert_array_equal(back.values, pair.image.values)
    np.testing.assert_array_equal(back.radius, pair.radius)
    assert sentence(back[1]) == MARK and back.attrs['requests'] == ['radius']
    three = as_image(np.zeros((3, 8, 9)), dims=('record', 'y', 'x'))         # a shape that could be read in two ways
    assert read(write(three, tmp_path/f'b{suffix}')).dims == three.dims


def test_zarr_keeps_masks_and_is_read_by_zarr(tmp_path, pair):
    import zarr
    named = pair.assign_coords(centre=('record', list('ABABAB')))
    path = write(named, tmp_path/'set.zarr')
    back = read(path)
    np.testing.assert_array_equal(back.mask, pair.mask)
    assert list(back.centre.values) == list('ABABAB') and back.attrs['model'] == 'phantom' and back.image.attrs['model'] == 'phantom'
    assert zarr.open(path)['image'].shape == pair.image.shape and zarr.open(path).attrs['provenance'] == 'synthetic'
    with pytest.raises(IsADirectoryError, match='is there already'):
        write(pair, path)


@pytest.mark.parametrize('format', ['png', 'jpg', 'tif', 'dicom', 'npy'])
def test_a_folder_comes_back_in_its_order(tmp_path, pair, format):
    named = pair.assign_coords(centre=('record', ['A', '', 'A', 'B', '', 'B'])).isel(record=[5, 0, 4, 1, 2, 3])
    folder = write(named, tmp_path/'set', format=format)
    back = read(folder)
    worst = EXACT[{'dicom': '.dcm'}.get(format, f'.{format}')]
    assert apart(back.image, named.image) <= worst + FLOAT
    np.testing.assert_array_equal(back.mask, named.mask)
    assert back.record.values.tolist() == named.record.values.tolist() == [10, 5, 9, 6, 7, 8]
    assert back.centre.values.tolist() == named.centre.values.tolist() and back.radius.values.tolist() == named.radius.values.tolist()
    assert [sentence(back.isel(record=k)) for k in range(6)] == [sentence(named.isel(record=k)) for k in range(6)]
    table = pd.read_csv(folder/'records.csv')
    assert list(table.columns)[:3] == ['record', 'file', 'mask'] and (table.provenance.str.startswith('synthetic: generator phantom')).all()
    assert all((folder/name).exists() for name in [*table.file, *table['mask']])
    chosen = read_folder(folder, records=[9, 10], size=(20, 30), space='monochrome')
    assert chosen.image.shape == (2, 20, 30) and chosen.mask.shape == (2, 20, 30) and chosen.record.values.tolist() == [9, 10]


def test_several_files_by_a_list(tmp_path, pair):
    paths = [write(pair.image[k], tmp_path/f'{name}.png') for k, name in enumerate(['b', 'a', 'c'])]
    back = read(paths)
    assert list(back.record.values) == ['b', 'a', 'c'] and back.attrs['model'] == 'phantom'
    other = made(as_image(np.zeros((48, 40, 3))), 'another', '2', 5)
    real = as_image(np.zeros((48, 40, 3)))
    sets = dict(synthetic=[*paths, write(other, tmp_path/'d.png')], mixed=[*paths, write(other, tmp_path/'d.png'), write(real, tmp_path/'e.png')])
    for name, files in sets.items():                                         # of two makers, and with one that nobody made
        x = read(files)
        assert is_synthetic(x) == (name == 'synthetic')
        for suffix in ('png', 'npy'):
            folder = write(x, tmp_path/f'{name}_{suffix}', format=suffix)
            said = [sentence(read(folder/f'{record}.{suffix}')) for record in x.record.values]
            assert said[0].startswith('synthetic: generator phantom 1, seed 3, record 5') and said[3].startswith('synthetic: generator another 2, seed 5')
            assert said[4:] == ['']*(name == 'mixed')


def test_a_mask_alone_keeps_its_labels_and_mark(tmp_path, pair):
    layers = xr.zeros_like(pair.mask[1]) + np.arange(40, dtype='int8')//5
    for suffix in ('.png', '.tif', '.npy'):
        for mask in (pair.mask[1], layers.assign_attrs(pair.mask.attrs)):
            back = read_mask(write_mask(mask, tmp_path/f'm{suffix}'))
            np.testing.assert_array_equal(back, mask)
            assert back.dtype == np.int8 and sentence(back) == MARK
    assert read_mask([tmp_path/'m.png', tmp_path/'m.tif'], size=12).shape == (2, 12, 12)


# --- files: other people's readers ------------------------------------------------------------------------------------

@pytest.mark.parametrize('colour', [True, False])
def test_other_programs_read_our_files(tmp_path, pair, colour):
    x = with_spacing(pair.image[1] if colour else to_grey(pair.image)[1], .25)
    stored, said = to_bytes(x), sentence(x)
    for suffix in ('.png', '.tif', '.jpg'):
        write(x, tmp_path/f'a{suffix}')
        worst = 16 if suffix == '.jpg' else 0
        assert apart(imageio.imread(tmp_path/f'a{suffix}'), stored) <= worst
        with Image.open(tmp_path/f'a{suffix}') as theirs:
            assert apart(theirs, stored) <= worst
            assert theirs.info['xmp'] and b'trainedAlgorithmicMedia' in theirs.info['xmp']
            words = theirs.text['Description'] if suffix == '.png' else theirs.getexif()[270].splitlines()[0]
            assert words == said
            if suffix != '.jpg':
                assert theirs.info['dpi'] == pytest.approx((101.6, 101.6), abs=.02)
    with tifffile.TiffFile(tmp_path/'a.tif') as theirs:
        np.testing.assert_array_equal(theirs.asarray(), stored)
        assert theirs.pages[0].description.splitlines()[0] == said
        assert json.loads(theirs.pages[0].description.splitlines()[1])['synthetic'] is True
    theirs = pydicom.dcmread(write(x, tmp_path/'a.dcm'))
    np.testing.assert_array_equal(theirs.pixel_array, stored)
    assert theirs.SyntheticData == 'YES' and theirs.ImageType == ['DERIVED', 'SECONDARY', 'SYNTHETIC'] and theirs.DerivationDescription == said
    assert theirs.ContributingEquipmentSequence[0].ContributionDescription == said and theirs.PatientName == 'SYNTHETIC'
    assert [float(v) for v in theirs.PixelSpacing] == [.25, .25]


DRESSES = (dict(), dict(compression='zlib'), dict(photometric='miniswhite'), dict(bigtiff=True), dict(byteorder='>'))


@pytest.mark.parametrize('kind, options', [
    (kind, options) for kind in ('uint8', 'uint16', 'float32') for options in DRESSES
    if not (kind == 'float32' and 'photometric' in options)])                  # fractions where white is zero: nobody writes these
def test_tiffs_of_other_programs(tmp_path, kind, options):
    rng = np.random.default_rng(0)
    values = rng.random((20, 30), 'float32') if kind == 'float32' else rng.integers(0, np.iinfo(kind).max, (20, 30)).astype(kind)
    tifffile.imwrite(tmp_path/'a.tif', values, **options)
    full = 1 if kind == 'float32' else np.iinfo(kind).max
    white = 1 - values/full if 'photometric' in options else values/full
    assert apart(read(tmp_path/'a.tif'), white) <= FLOAT


def test_one_picture_in_many_dresses(tmp_path, pair):
    stored = to_bytes(pair.image[1])
    image = Image.fromarray(stored)
    image.convert('RGBA').save(tmp_path/'alpha.png')
    image.save(tmp_path/'a.bmp')
    image.save(tmp_path/'a.ppm')
    image.save(tmp_path/'lossless.webp', lossless=True)
    image.save(tmp_path/'really a png.jpg', format='PNG')
    image.save(tmp_path/'lzw.tif', compression='tiff_lzw')
    palette = image.quantize(200)
    palette.save(tmp_path/'palette.png')
    palette.save(tmp_path/'still.gif')
    for path in tmp_path.iterdir():
        expected = np.asarray(palette.convert('RGB')) if path.stem in ('palette', 'still') else stored
        np.testing.assert_array_equal(to_bytes(read(path)), expected, err_msg=path.name)
    grey = image.convert('L')
    grey.convert('LA').save(tmp_path/'grey alpha.png')
    grey.save(tmp_path/'grey.gif')                                           # a palette of greys
    for name in ('grey alpha.png', 'grey.gif'):
        np.testing.assert_array_equal(to_bytes(read(tmp_path/name)), np.asarray(grey))


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.tif', '.webp'])
def test_every_exif_rotation_is_applied(tmp_path, orientation, suffix):
    upright = np.zeros((40, 24), 'uint8')
    upright[:16, :8], upright[24:, :8] = 255, 128                            # differs from each of its turned copies
    back = {1: lambda v: v, 2: lambda v: v[:, ::-1], 3: lambda v: v[::-1, ::-1], 4: lambda v: v[::-1], 5: lambda v: v.T,
            6: lambda v: np.rot90(v), 7: lambda v: v[::-1, ::-1].T, 8: lambda v: np.rot90(v, -1)}[orientation](upright)
    exif = Image.Exif()
    exif[274] = orientation
    options = dict(quality=100) if suffix == '.jpg' else dict(lossless=True) if suffix == '.webp' else {}
    x = read(save(np.ascontiguousarray(back), tmp_path/f'a{suffix}', exif=exif, **options))
    seen = x.values if x.ndim == 2 else x.values[..., 0]
    assert seen.shape == upright.shape and apart(seen*255, upright) <= 24    # JPEG at an edge


def test_other_colour_profiles_become_srgb(tmp_path):
    lab = ImageCms.createProfile('LAB')
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB'))
    values = np.full((8, 8, 3), (200, 60, 60), 'uint8')
    same = save(values, tmp_path/'srgb.png', icc_profile=swapped.tobytes())
    np.testing.assert_array_equal(to_bytes(read(same)), values)
    for name, profile in (('lab', ImageCms.ImageCmsProfile(lab).tobytes()), ('broken', b'no profile')):
        np.testing.assert_array_equal(to_bytes(read(save(values, tmp_path/f'{name}.png', icc_profile=profile))), values)


@pytest.mark.parametrize('bits, says', [(12, 'uses only 12 of its 16 bits'), (16, None)])
def test_twelve_bits_in_sixteen_are_told(tmp_path, bits, says):
    path = save(np.linspace(0, 2**bits - 1, 600).reshape(20, 30).astype('uint16'), tmp_path/'a.png')
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter('always')
        assert float(read(path).max()) == pytest.approx((2**bits - 1)/65535)
    assert [says in str(w.message) for w in heard] == ([True] if says else [])


# --- files: what is refused -----------------------------------------------------------------------------------------

def bad(name, folder, stored):
    "A file that cannot be read as a picture."
    image, path = Image.fromarray(stored), folder/name
    if name == 'text.png':
        path.write_text('this is text')
    elif name.startswith('empty'):
        path.touch()
    elif name.startswith('cut'):
        image.save(path)
        path.write_bytes(path.read_bytes()[:len(path.read_bytes())*2//3])
    elif name == 'head.png':
        image.save(path)
        path.write_bytes(path.read_bytes()[:20])
    elif name.startswith('film'):
        image.save(path, save_all=True, append_images=[image.rotate(90), image.rotate(180)])
    elif name.startswith('ink'):
        image.convert('CMYK').save(path)
    elif name == 'lab.tif':
        image.convert('LAB').save(path)
    elif name == 'glass.png':
        image.putalpha(Image.fromarray(stored[..., 0]))
        image.save(path)
    elif name == 'glass.gif':
        image.quantize(8).save(path, transparency=0)
    elif name == 'deep.tif':
        tifffile.imwrite(path, stored.astype('uint16')*257, photometric='rgb')
    elif name == 'deep.png':
        path.write_bytes(deep_png(stored))
    elif name == 'integers.tif':
        tifffile.imwrite(path, stored[..., 0].astype('int32')*1000)
    elif name == 'hounsfield.tif':
        tifffile.imwrite(path, stored[..., 0].astype('float32') - 100)
    elif name == 'labels.npy':
        np.save(path, stored[..., 0].astype('int64'))
    elif name == 'bytes.npy':
        path.write_bytes(b'\x93NUMPY and then nothing')
    elif name == 'pickle.npy':
        np.save(path, np.array([dict(a=1)]), allow_pickle=True)
    elif name == 'nothing.zarr':
        path.mkdir()
    elif name == 'text.dcm':
        path.write_text('x'*200)
    return path


def deep_png(stored):
    "A PNG with 16 bits per channel in colour, which Pillow cannot write."
    import struct
    import zlib
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows, columns, _ = stored.shape
    lines = b''.join(b'\0' + (row.astype('>u2')*257).tobytes() for row in stored)
    header = struct.pack('>IIBBBBB', columns, rows, 16, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b'')


@pytest.mark.parametrize('name, says', [
    ('text.png', r"is no picture in PNG.*begins with b'this is text'"), ('empty.png', r'is empty \(0 bytes\)'), ('empty.jpg', 'is empty'),
    ('empty.dcm', 'is empty'), ('cut.jpg', 'is damaged or cut short'), ('cut.png', 'is damaged or cut short'), ('cut.tif', 'is damaged or cut short'),
    ('head.png', 'is damaged or cut short|no picture'), ('film.gif', 'holds 3 frames.*frames=True'), ('film.png', 'holds 3 frames'),
    ('film.webp', 'holds 3 frames'), ('film.tif', 'holds 3 frames'), ('ink.jpg', 'is in CMYK, not in RGB'), ('ink.tif', 'is in CMYK'),
    ('lab.tif', 'is in LAB'), ('glass.png', 'is transparent in .*% of its pixels'), ('glass.gif', 'is transparent'),
    ('deep.tif', 'holds 16 bits per channel'), ('deep.png', 'holds 16 bits per channel'), ('integers.tif', '32 bits, and nothing says which is white'),
    ('hounsfield.tif', r'an image runs from 0 \(black\) to 1'), ('labels.npy', 'if it is a mask: read_mask'), ('bytes.npy', 'cannot be read as .npy'),
    ('pickle.npy', 'cannot be read as .npy'), ('nothing.zarr', 'is no Zarr group|holds 0 arrays'), ('text.dcm', 'is no DICOM file')])
def test_bad_files_get_one_sentence(tmp_path, pair, name, says):
    path = bad(name, tmp_path, to_bytes(pair.image[0]))
    with pytest.raises(ValueError, match=says) as told:
        read(path)
    assert str(told.value).startswith(str(path)) and '\n' not in str(told.value)


@pytest.mark.parametrize('name', ['film.gif', 'film.png', 'film.webp', 'film.tif'])
def test_frames_are_read_as_records_if_asked_for(tmp_path, name):
    square = to_bytes(phantom(1, size=32).image[0])
    assert read(bad(name, tmp_path, square), frames=True).shape == (3, 32, 32, 3)


def test_folders_that_do_not_fit_are_named(tmp_path, pair):
    folder = write(pair, tmp_path/'set', format='png')
    with pytest.raises(FileNotFoundError, match='there is no such file'):
        read(folder/'images'/'77.png')
    with pytest.raises(ValueError, match="has no image for .'77'"):
        read_folder(folder, records=[77])
    with pytest.raises(FileNotFoundError, match='there is no such table'):
        read_folder(folder, table='items.csv')
    text = (folder/'records.csv').read_text()
    (folder/'records.csv').write_text(text.replace('\n6,', '\n66,'))
    with pytest.raises(ValueError, match='records.csv: names 66, which is not among the images'):
        read(folder)
    (folder/'records.csv').write_text(''.join(line + '\n' for line in text.splitlines() if not line.startswith('6,')))
    with pytest.raises(ValueError, match='records.csv: has no row for 6.png'):
        read(folder)
    (folder/'records.csv').write_text(text)
    (folder/'images'/'6.png').unlink()
    with pytest.raises(ValueError, match='which is not among the images'):
        read(folder)
    write(to_grey(pair.image)[1], folder/'images'/'6.png')
    with pytest.raises(ValueError, match='6.png: is 48 × 40 in grey and does not stack with .*5.png, 48 × 40 in colour'):
        read(folder)
    assert read(folder, space='monochrome').image.shape == (6, 48, 40)
    write(pair.image[1], folder/'images'/'6.jpg')
    with pytest.raises(ValueError, match='have the same name; which is meant'):
        read(folder)
    with pytest.raises(FileNotFoundError, match='holds no image'):
        (tmp_path/'none').mkdir()
        read(tmp_path/'none')


@pytest.mark.parametrize('call, error, says', [
    (lambda x, f: write(x, f/'a.xyz'), ValueError, "unknown format '.xyz'; known are .png"), (lambda x, f: write(x, f/'a.png'), ValueError, 'has no room for a mask'),
    (lambda x, f: write(x.image, f/'a.png'), ValueError, "holds one image, these are 6.*format='png'"),
    (lambda x, f: write(x.image[0], f/'a.png', bits=12), ValueError, 'got bits=12'), (lambda x, f: write(x.image, f/'a.npy', bits=8), ValueError, 'leave out bits=8'),
    (lambda x, f: write(x.image[0], f/'no'/'a.png'), FileNotFoundError, 'there is no such folder'), (lambda x, f: write(x, f/'s', format='bmp'), ValueError, "unknown format 'bmp'"),
    (lambda x, f: write(x.assign_coords(record=list('ab/def')), f/'s', format='png'), ValueError, "'/' cannot be a file's name"),
    (lambda x, f: write(x.assign_coords(record=[1]*6), f/'s', format='png'), ValueError, 'may occur once'), (lambda x, f: write(np.zeros((4, 4), int), f/'a.png'), ValueError, 'from_bytes'),
    (lambda x, f: write_mask(x.mask, f/'m.png'), ValueError, 'holds one mask, these are 6'), (lambda x, f: read([]), ValueError, 'empty list'),
    (lambda x, f: read(write(x.image[0], f/'a.png'), space='Lab'), ValueError, "unknown space 'Lab'")])
def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path, pair, call, error, says):
    with pytest.raises(error, match=says):
        call(pair, tmp_path)
    assert [p for p in tmp_path.rglob('*') if p.name.startswith('.')] == []


def test_an_interrupted_write_leaves_no_file(tmp_path, pair, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt
    monkeypatch.setattr(Image.Image, 'save', killed)
    with pytest.raises(KeyboardInterrupt):
        write(pair.image[0], tmp_path/'a.png')
    assert list(tmp_path.iterdir()) == []


# --- DICOM ----------------------------------------------------------------------------------------------------------

def dicom_samples():
    return sorted((Path(pydicom.data.__file__).parent/'test_files').glob('*.dcm'))


@pytest.mark.parametrize('path', dicom_samples(), ids=lambda p: p.stem)
def test_pydicoms_own_files_are_read_or_refused_in_one_sentence(path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            x = read(path, frames=True)
        except ValueError as e:
            assert str(e).startswith(str(path)) and '\n' not in str(e) and len(str(e)) < 600
            return
    assert x.dtype == np.float32 and 0 <= float(x.min()) and float(x.max()) <= 1 and 'source' not in x.attrs
    d = pydicom.dcmread(path)
    for secret in ('PatientName', 'PatientID', 'StudyInstanceUID', 'StudyDate'):
        if str(d.get(secret, '')).strip():
            assert str(d[secret].value) not in str(x.attrs), secret


def test_our_window_is_pydicoms():
    from pydicom.pixels import apply_windowing
    values = np.arange(-1200, 1800)
    d = pydicom.Dataset()
    d.PhotometricInterpretation, d.PixelRepresentation, d.BitsStored = 'MONOCHROME2', 1, 12
    for function in ('LINEAR', 'LINEAR_EXACT', 'SIGMOID'):
        d.WindowCenter, d.WindowWidth, d.VOILUTFunction = 40, 350, function
        theirs = (apply_windowing(values.astype('int16'), d) + 2048)/4095
        assert apart(windowed(values, 40, 350, function), theirs) <= FLOAT


def test_real_headers_lose_their_patient_unless_asked(tmp_path):
    path = Path(pydicom.data.get_testdata_file('CT_small.dcm'))
    with pytest.warns(UserWarning, match='has no window.*it will look flat; pass window='):
        x = read(path)
    d = pydicom.dcmread(path)
    assert str(d.PatientName) not in str(x) and x.attrs['modality'] == 'CT' and spacing_mm(x) == pytest.approx((.661468, .661468))
    kept = read(path, keep_identity=True, window=(40, 400))
    assert kept.attrs['patient_name'] == str(d.PatientName) and kept.attrs['source'] == 'CT_small.dcm'
    assert apart(kept, windowed(d.pixel_array*float(d.RescaleSlope) + float(d.RescaleIntercept), 40, 400)) <= FLOAT
    again = pydicom.dcmread(write(kept, tmp_path/'a.dcm'))                   # a name is never written back
    assert again.PatientName == 'ANONYMOUS' and str(d.PatientName) not in str(again) and again.Modality == 'CT'
    d.BurnedInAnnotation = 'YES'
    d.save_as(tmp_path/'burnt.dcm')
    with pytest.warns(UserWarning, match='burnt into its pixels'):
        assert read(tmp_path/'burnt.dcm').attrs['burned_in_annotation'] == 'YES'


def test_several_dicom_frames_are_named_or_read():
    path = pydicom.data.get_testdata_file('examples_ybr_color.dcm')
    with pytest.raises(ValueError, match='holds 30 frames, a film or a volume'):
        read(path)
    assert read_dicom(path, frames=True).dims == ('record', 'y', 'x', 'channel')


def test_a_missing_pydicom_is_one_sentence(tmp_path, pair, monkeypatch):
    import sys
    path = write(pair.image[0], tmp_path/'a.dcm')
    for name in [name for name in sys.modules if name.split('.')[0] == 'pydicom']:
        monkeypatch.setitem(sys.modules, name, None)
    for call in (lambda: read(path), lambda: write(pair.image[0], tmp_path/'b.dcm')):
        with pytest.raises((ModuleNotFoundError, ValueError), match=r"pip install 'deepsynthbody_nb\[formats\]'"):
            call()


# --- drawing --------------------------------------------------------------------------------------------------------

def test_every_drawing_carries_its_mark(tmp_path, pair):
    pages = (draw_images(pair), draw_images(to_grey(pair.image), columns=2, titles=False), film_strip(pair, n=3), draw_difference(pair.image[0], pair.image[1]))
    for page in pages:
        assert page.mark.startswith('synthetic: generator phantom 1, seed 3')
        for suffix in ('.png', '.svg', '.pdf'):
            page.savefig(tmp_path/f'a{suffix}')
        assert Image.open(tmp_path/'a.png').text['Description'] == page.mark
        assert b'synthetic: generator phantom' in (tmp_path/'a.svg').read_bytes() + b'' and b'synthetic' in (tmp_path/'a.pdf').read_bytes()


def test_a_grid_shows_the_pixels_as_they_are(pair):
    page = draw_images(pair.image*.5, columns=3)                             # half as bright must look half as bright
    shown = [ax.get_images()[0] for ax in page.axes if ax.get_images()]
    assert len(shown) == 6
    for image, drawn in zip(pair.image.values, shown, strict=True):
        assert apart(drawn.get_array(), np.rint(image*.5*255)) <= 1 and drawn.get_interpolation() == 'nearest'


def test_outlines_run_along_the_edge_of_the_mask():
    mask = np.zeros((8, 8), 'int8')
    mask[2:5, 3:7] = 1
    page = draw_images(paired(np.zeros((8, 8)), mask))
    lines = np.concatenate(page.axes[0].collections[0].get_segments())
    assert lines[:, 0].min() == 2.5 and lines[:, 0].max() == 6.5 and lines[:, 1].min() == 1.5 and lines[:, 1].max() == 4.5
    assert len(page.axes[0].collections[0].get_segments()) == 2*(3 + 4)


def test_films_have_all_frames_their_pace_and_their_mark(tmp_path, pair):
    path, = write_film(pair, tmp_path/'a.gif', per_second=10, scale=2)
    with Image.open(path) as film:
        assert film.n_frames == 6 and film.size == (80, 96) and film.info['duration'] == 100 and film.info['loop'] == 0
    assert read(path, frames=True).attrs['model'] == 'phantom'
    assert float(abs(read(path, frames=True)[:, ::2, ::2].values - pair.image.values).mean()) < 3*STEP
    frames = write_film(to_grey(pair.image), tmp_path/'frames', frames=True)
    assert [sentence(read(p)).startswith('synthetic') for p in frames] == [True]*6
    with pytest.raises(ValueError, match='a film is written as .gif'):
        write_film(pair, tmp_path/'a.avi')


def test_an_mp4_has_all_frames_and_its_mark(tmp_path, pair):
    import av
    path, = write_film(pair, tmp_path/'a.mp4', per_second=12, scale=2)
    with av.open(str(path)) as film:
        track = film.streams.video[0]
        assert (track.width, track.height, track.average_rate) == (80, 96, 12)
        assert film.metadata['comment'] == said_of(pair.image)
        back = np.stack([frame.to_ndarray(format='rgb24') for frame in film.decode(video=0)])
    assert len(back) == 6 and abs(back[:, ::2, ::2]/255 - pair.image.values).mean() < .06
    grey, = write_film(to_grey(pair.image), tmp_path/'grey.mp4', per_second=25, scale=2)
    assert grey.stat().st_size > 0 and sorted(p.name for p in tmp_path.iterdir()) == ['a.mp4', 'grey.mp4']


# --- real images ----------------------------------------------------------------------------------------------------

def test_real_endoscopy_with_masks_and_table(real_images, tmp_path):
    "PolypGen and Kvasir-SEG (CC BY 4.0): 200 frames of each as a folder, out to Zarr and back."
    for name in ('polypgen', 'kvasir_seg'):
        folder = real_images/'endoscopy'/name
        names = pd.read_csv(folder/'items.csv').name[:200].tolist()
        pair = read_folder(folder, table='items.csv', records=names)
        assert pair.image.shape == (200, 256, 256, 3) and list(pair.record.values) == names and 'provenance' not in pair.attrs
        assert set(np.unique(pair.mask)) == {0, 1}
        found = pair.mask.mean(('y', 'x')).values
        assert apart(found, pair.polyp_frac.values) <= .02                   # as the table says, at its resolution
        some = pair.isel(record=slice(0, 20))
        back = read(write(some, tmp_path/f'{name}.zarr'))
        np.testing.assert_array_equal(to_bytes(back.image), to_bytes(some.image))
        back = read(write(some, tmp_path/name, format='png'))
        np.testing.assert_array_equal(to_bytes(back.image), to_bytes(some.image))
        np.testing.assert_array_equal(back.mask, some.mask)


def test_real_oct_is_grey_in_every_class(real_images):
    "Kermany's OCT (CC BY 4.0)."
    for kind in ('CNV', 'DME', 'DRUSEN', 'NORMAL'):
        x = read(sorted((real_images/'oct'/'kermany'/kind).iterdir())[:40])
        assert x.shape == (40, 256, 256) and x.attrs['space'] == 'monochrome'
        original = read(sorted((real_images/'oct'/'kermany'/'original'/kind).iterdir())[0])
        assert original.sizes['y'] >= 496


def test_real_chest_films(real_images, tmp_path):
    "NIH ChestX-ray14 and the Hannover set: PNGs of 1,024 and 128 pixels, out to DICOM with 16 bits and back."
    if not (real_images/'cxr.tar').exists() and not (real_images/'cxr').is_dir():
        pytest.skip(f'no chest films at {real_images}')
    with tarfile.open(real_images/'cxr.tar') as tar:
        wanted = [m for m in tar.getmembers() if re.search(r'(original1024|png128|png256|original)/[^/]*png$', m.name)]
        chosen = [m for part in ('original1024', 'png128', 'png256', '/original/') for m in [m for m in wanted if part in m.name][:6]]
        for member in chosen:
            path = tmp_path/Path(member.name).name
            path.write_bytes(tar.extractfile(member).read())
            x = read(path, space='monochrome')
            assert x.dims == ('y', 'x') and float(x.max()) > .5
            assert apart(read(write(x, tmp_path/'a.dcm', bits=16)), x) <= .5/65535 + FLOAT
