"""The command that exports poses."""

import numpy as np
from export_poses import main

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.structures import PoseSequence


def test_prints_the_files(tmp_path, capsys):
    corpus = Corpus.create(tmp_path / 'corpus')
    corpus.add_videos([VideoInfo('a', '', 25.0, 4, 90, 90)])
    ones = np.ones((2, 17), np.float32)
    PoseSequence(np.arange(2), np.full((2, 17, 2), 5, np.float32), ones).save(corpus.pose_path('made', 'a'))
    main(f'--corpus {corpus.root} --poses made --format csv --out {tmp_path}/out'.split())
    assert str(tmp_path / 'out' / 'a.csv') in capsys.readouterr().out
    assert len((tmp_path / 'out' / 'a.csv').read_text().splitlines()) == 3
