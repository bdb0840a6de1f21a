import numpy as np
import torch
from torch.utils.data import default_collate

from vpd_mm.distill.crop_batch import CropBatch, collate_crops


def add_input(results):
    inputs, array = results['batch'].next_input((5, results['size'], 4))
    array[...] = results['index']
    samples = {'index': results['index'], 'target': np.full(3, results['index'], np.float32), 'score': 0.5}
    return {'inputs': inputs, 'data_samples': samples}


def test_inputs_of_a_batch_are_collated_without_a_copy():
    batch = CropBatch(3)
    for part in ([7, 8], [9]):
        batch.add([{'index': index, 'size': 4} for index in part], [add_input])
    collated, expected = collate_crops(batch), default_collate(list(batch))
    torch.testing.assert_close(collated, expected, rtol=0, atol=0)
    assert collated['inputs'].data_ptr() == batch[0]['inputs'].data_ptr()
    assert collated['data_samples']['index'].dtype == torch.int64


def test_other_samples_are_collated_as_by_default():
    samples = [{'inputs': torch.full((2,), value), 'data_samples': {'index': 3}} for value in (1.0, 2.0)]
    torch.testing.assert_close(collate_crops(samples), default_collate(samples))
    mixed = CropBatch(2)
    mixed.add([{'index': 0, 'size': 4}, {'index': 1, 'size': 6}], [add_input])
    assert mixed.inputs is None
    assert [sample['inputs'].shape[1] for sample in mixed] == [4, 6]
    assert mixed[1]['inputs'].eq(1).all()
    assert mixed[0]['inputs'].eq(0).all()
