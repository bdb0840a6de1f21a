import hashlib

import pytest
import torch

from vpd_mm.engine.checkpoint_packer import check_packed, pack_checkpoint
from vpd_mm.errors import UserError


def save(path, **weights):
    torch.save({'state_dict': weights, 'optimizer': {'lr': 1}, 'meta': {'epoch': 3, 'seed': 0, 'cfg': 'x'}}, path)
    return path


def test_keeps_weights_in_half_precision_and_nothing_else(tmp_path):
    source = save(tmp_path / 'a.pth', weight=torch.tensor([0.1, -2.0]), count=torch.tensor(7))
    digest = pack_checkpoint(source, tmp_path / 'packed.pth')
    packed = torch.load(tmp_path / 'packed.pth', weights_only=True)
    assert packed['state_dict']['weight'].tolist() == torch.tensor([0.1, -2.0]).half().tolist()
    assert packed['state_dict']['weight'].dtype == torch.float16
    assert packed['state_dict']['count'].item() == 7
    assert packed['meta'] == {'epoch': 3}
    assert set(packed) == {'meta', 'state_dict'}
    assert digest == hashlib.sha256((tmp_path / 'packed.pth').read_bytes()).hexdigest()
    assert (tmp_path / 'packed.sha256').read_text() == f'{digest}  packed.pth\n'
    assert check_packed(tmp_path / 'packed.pth') == tmp_path / 'packed.pth'


def test_same_source_same_bytes(tmp_path):
    source = save(tmp_path / 'a.pth', weight=torch.arange(9.0))
    assert pack_checkpoint(source, tmp_path / 'one.pth') == pack_checkpoint(source, tmp_path / 'two.pth')


@pytest.mark.parametrize(
    ('weight', 'limit', 'message'),
    [(torch.tensor([1e6]), 10**6, 'half precision'), (torch.zeros(5000), 2000, 'more than 2000')],
)
def test_refuses_what_does_not_fit(tmp_path, weight, limit, message):
    source = save(tmp_path / 'a.pth', weight=weight)
    with pytest.raises(UserError, match=message):
        pack_checkpoint(source, tmp_path / 'packed.pth', limit)
    assert not (tmp_path / 'packed.pth').exists()


def test_bad_files(tmp_path):
    with pytest.raises(UserError, match='no such file'):
        pack_checkpoint(tmp_path / 'none.pth', tmp_path / 'packed.pth')
    torch.save({'weight': torch.zeros(1)}, tmp_path / 'bare.pth')
    with pytest.raises(UserError, match='has no state_dict'):
        pack_checkpoint(tmp_path / 'bare.pth', tmp_path / 'packed.pth')
    with pytest.raises(UserError, match=r'must end in \.pth'):
        pack_checkpoint(tmp_path / 'bare.pth', tmp_path / 'packed.bin')
    (tmp_path / 'text.pth').write_text('x')
    with pytest.raises(UserError, match=r'not written by torch\.save'):
        pack_checkpoint(tmp_path / 'text.pth', tmp_path / 'packed.pth')
    torch.save({'state_dict': {'weight': [1.0]}, 'meta': None}, tmp_path / 'list.pth')
    with pytest.raises(UserError, match='weight is no tensor'):
        pack_checkpoint(tmp_path / 'list.pth', tmp_path / 'packed.pth')
    source = save(tmp_path / 'a.pth', weight=torch.zeros(1))
    before = source.read_bytes()
    with pytest.raises(UserError, match='is the checkpoint itself'):
        pack_checkpoint(source, tmp_path / '.' / 'a.pth')
    assert source.read_bytes() == before
    with pytest.raises(UserError, match='no such file'):
        check_packed(tmp_path / 'bare.pth')
