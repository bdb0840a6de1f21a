import hashlib

import pytest
import torch

from vpd_mm.engine.checkpoint_packer import check_packed, pack_checkpoint
from vpd_mm.errors import UserError
from vpd_mm.files import MARK


def save(path, **weights):
    torch.save({'state_dict': weights, 'optimizer': {'lr': 1}, 'meta': {'epoch': 3, 'seed': 0, 'cfg': 'x'}}, path)
    return path


def test_keeps_weights_in_half_precision_and_nothing_else_with_the_same_bytes(tmp_path):
    source = save(tmp_path / 'a.pth', weight=torch.tensor([0.1, -2.0]), count=torch.tensor(7))
    digest = pack_checkpoint(source, tmp_path / 'packed.pth')
    packed = torch.load(tmp_path / 'packed.pth', weights_only=True)
    assert packed['state_dict']['weight'].tolist() == torch.tensor([0.1, -2.0]).half().tolist()
    assert packed['state_dict']['weight'].dtype == torch.float16
    assert packed['state_dict']['count'].item() == 7
    assert packed['meta'] == {'epoch': 3, 'comment': MARK}
    assert set(packed) == {'meta', 'state_dict'}
    assert digest == hashlib.sha256((tmp_path / 'packed.pth').read_bytes()).hexdigest()
    assert (tmp_path / 'packed.sha256').read_text() == f'{digest}  packed.pth\n'
    assert check_packed(tmp_path / 'packed.pth') == tmp_path / 'packed.pth'
    assert pack_checkpoint(source, tmp_path / 'again.pth') == digest


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
    torch.save({'weight': torch.zeros(1)}, tmp_path / 'bare.pth')
    torch.save({'state_dict': {'weight': [1.0]}}, tmp_path / 'list.pth')
    (tmp_path / 'text.pth').write_text('x')
    before = save(tmp_path / 'a.pth', weight=torch.zeros(1)).read_bytes()
    for name, out, message in (
        ('none.pth', 'packed.pth', 'no such file'),
        ('bare.pth', 'packed.pth', 'has no state_dict'),
        ('bare.pth', 'packed.bin', r'must end in \.pth'),
        ('text.pth', 'packed.pth', r'not written by torch\.save'),
        ('list.pth', 'packed.pth', 'weight is no weight'),
        ('a.pth', './a.pth', 'is the checkpoint itself'),
    ):
        with pytest.raises(UserError, match=message):
            pack_checkpoint(tmp_path / name, tmp_path / out)
    assert (tmp_path / 'a.pth').read_bytes() == before
    with pytest.raises(UserError, match='no such file'):
        check_packed(tmp_path / 'bare.pth')


def test_replaces_only_what_it_wrote(tmp_path):
    source = save(tmp_path / 'a.pth', weight=torch.zeros(1))
    digest = pack_checkpoint(source, tmp_path / 'packed.pth')
    assert pack_checkpoint(source, tmp_path / 'packed.pth') == digest
    for name, text in (('notes.sha256', 'mine'), ('mine.pth', 'mine')):
        (tmp_path / name).write_text(text)
        out = (tmp_path / name).with_suffix('.pth')
        with pytest.raises(UserError, match=f'{name}: exists and was not written by this tool'):
            pack_checkpoint(source, out)
        assert (tmp_path / name).read_text() == text
        pack_checkpoint(source, out, overwrite=True)
        assert check_packed(out) == out
