"""Trainings inside the demonstration."""

from demo_old.demo_training import quiet_config, train, with_epochs
from sequence_corpus import make_corpus

from vpd_mm.detect.search import adapt_config
from vpd_mm.structures import Action


def test_a_training_that_was_killed_while_it_saved_is_done_anew(tmp_path):
    splits = {'v0': 'train', 'v1': 'val', 'v2': 'test'}
    actions = [Action(video, video, 20, 40, 0, split) for video, split in splits.items()]
    corpus = make_corpus(tmp_path / 'c', dict.fromkeys(splits, (25.0, 60)), actions)
    cfg = adapt_config(quiet_config('configs/detect/bigru_joints_100e_synthetic.py'), str(corpus.root))
    folder = tmp_path / 'work'
    folder.mkdir()
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))  # deleted to make room for the next
    seen = []
    assert train(with_epochs(cfg, 2), folder, lambda *done: seen.append(done)).is_file()
    assert seen[-1] == (len(seen), len(seen))
