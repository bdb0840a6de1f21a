from types import SimpleNamespace

import pytest
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub, MMLogger


@pytest.mark.parametrize(
    ('names', 'removed'),
    [
        (['epoch_2.pth', 'best_view_hit@1_epoch_2.pth'], True),
        (['best_detect_mAP@0.5_iter_20.pth'], True),
        (['epoch_2.pth', '../epoch_2.pth'], False),
        (['best_of_mine.pth'], False),
    ],
)
def test_what_a_killed_training_has_replaced_is_removed_when_it_resumes(tmp_path, names, removed):
    """A checkpoint may come from elsewhere: the files that it names are those of a training in this folder."""
    work = tmp_path / 'work'
    work.mkdir()
    for name in names:
        (work / name).write_text('')
    hub = MessageHub('test')
    hub.update_info('replaced_checkpoints', names)
    runner = SimpleNamespace(work_dir=str(work), message_hub=hub, logger=MMLogger('test'))
    CheckpointHook(save_best='view/hit@1', rule='greater').before_train(runner)
    assert [(work / name).exists() for name in names] == [not removed] * len(names)
