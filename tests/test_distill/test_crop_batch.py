import numpy as np
import torch
from torch.utils.data import default_collate

from vpd_mm.distill.crop_batch import CropBatch, InputMemory, collate_crops


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


def test_memory_is_used_again_once_no_tensor_needs_it():
    memory = InputMemory()
    first = memory.tensor((4, 5))
    part, place = first[2], first.data_ptr()
    del first
    part.fill_(7)
    second = memory.tensor((4, 5))
    assert second.data_ptr() != place
    second.zero_()
    assert part.eq(7).all()
    array = part.numpy()
    del part
    assert memory.tensor((4, 5)).data_ptr() not in (place, second.data_ptr())
    assert (array == 7).all()
    del array
    assert memory.tensor((4, 5)).data_ptr() == place
    assert memory.tensor((4, 6)).shape == (4, 6)
