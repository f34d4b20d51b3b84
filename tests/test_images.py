"Images: every value survives the formats that promise it, every bad file gets one sentence, and the mark is always there."
import numpy as np
import pytest
from PIL import Image

from deepsynthbody_nb.images.files import read, read_folder, read_mask, write, write_mask
from deepsynthbody_nb.images.pixels import as_image, from_bytes, paired, phantom, resize, to_bytes, to_grey, with_spacing
from deepsynthbody_nb.records.provenance import made, sentence

STEP = 1/255                                                                 # one grey level of a byte
FLOAT = 1e-6                                                                 # float32 near 1


@pytest.fixture(scope='module')
def pair():
    "Six phantoms of 48 x 40 pixels with masks, marks and a request."
    return resize(phantom(6, size=48, seed=3, start=5), (48, 40))


def shapes(values):
    "The four shapes an image may have."
    return dict(grey=values[0, ..., 0], colour=values[0], greys=values[..., 0], colours=values)


# --- pixels ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('shape', ['grey', 'colour', 'greys', 'colours'])
@pytest.mark.parametrize('kind', ['uint8', 'uint16'])
def test_bytes_there_and_back_are_exact(shape, kind):
    rng = np.random.default_rng(0)
    values = shapes(rng.integers(0, np.iinfo(kind).max, (5, 7, 9, 3), endpoint=True).astype(kind))[shape]
    np.testing.assert_array_equal(to_bytes(from_bytes(values), 8*values.itemsize), values)
