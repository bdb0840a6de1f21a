"""Where the demonstration's things lie, what it is asked for, and what describes an athlete in it."""

import os
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from demo_old.demo_scales import Scale
from demo_old.demo_training import quiet_config, with_epochs
from vpd_mm.corpus import Corpus
from vpd_mm.engine.paths import newest_best
from vpd_mm.errors import UserError
from vpd_mm.synthetic.checkpoints import packed_model
from vpd_mm.synthetic.corpus import SportRecipe


@dataclass(frozen=True)
class Bench:
    """One run of the demonstration.

    Args:
        root: Its folder.
        scale: Its sizes.
        seed: Of the sport, of weights and of draws.
        jobs: Processes or threads side by side.
        device: Of the networks: auto, cpu, cuda.
    """

    root: Path
    scale: Scale
    seed: int
    jobs: int
    device: str = 'auto'

    @property
    def recipe(self) -> SportRecipe:
        return SportRecipe(self.seed, self.scale.side, self.scale.side, self.scale.sub_frames)

    @property
    def sport_dir(self) -> Path:
        """The films and, beside them, the truth."""
        return self.root / 'sport'

    @property
    def corpus_dir(self) -> Path:
        """What the chain makes of the films; it holds no truth but the labels."""
        return self.root / 'corpus'

    @property
    def work_dir(self) -> Path:
        return self.root / 'work'

    @property
    def report_dir(self) -> Path:
        return self.root / 'pictures'

    @property
    def truth_dir(self) -> Path:
        """True poses, for evaluation only."""
        return (self.sport_dir / 'ground_truth' / 'poses').resolve()

    def corpus(self) -> Corpus:
        return Corpus.open(self.corpus_dir)


def default_jobs() -> int:
    """A process a core, at most 8."""
    return max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1, 8))


@dataclass(frozen=True)
class Description:
    """Features that say how the athlete stands.

    Args:
        name: In tables.
        features: As recognition reads them: ``teacher/<name>`` or ``features/<run>``.
        stage: The stage that makes them.
        dims: D.
    """

    name: str
    features: str
    stage: str
    dims: int


@dataclass(frozen=True)
class Student:
    """A student and the teacher it learns from.

    Args:
        name: In tables.
        run: Name of its features.
        teacher: Name of its targets.
        config: The distillation.
        dims: D.
        after: The run of the student whose backbone it starts from; None: the packed teacher's first stages.
    """

    name: str
    run: str
    teacher: str
    config: str
    dims: int
    after: str | None = None

    def epochs(self, scale: Scale) -> int:
        """Of its training."""
        return scale.later_epochs if self.after else scale.epochs

    def best(self, bench: Bench) -> Path:
        """The trained student.

        Raises:
            UserError: there is none.
        """
        folder = bench.work_dir / 'distill' / self.run
        found = newest_best(folder)
        if found is None:
            raise UserError(f'{folder}: holds no best_*.pth; delete {bench.root / "stages"} and run again')
        return found

    def cfg(self, bench: Bench) -> Config:
        """Its training and its test, at the bench's scale."""
        s = bench.scale
        cfg = with_epochs(quiet_config(self.config), self.epochs(s))
        data = {'corpus': str(bench.corpus_dir), 'teacher': self.teacher}
        for part in ('train', 'val', 'test'):
            cfg[f'{part}_dataloader'].dataset.update(data)
        cfg.train_dataloader.sampler.num_samples = s.draws
        cfg.train_dataloader.batch_size = min(cfg.train_dataloader.batch_size, s.draws)
        cfg.val_dataloader.dataset.max_frames = s.val_frames
        cfg.test_dataloader.dataset.update(max_frames=s.test_frames or None, truth_dir=str(bench.truth_dir))
        cfg.model.student.out_dims = cfg.model.decoder.dims = self.dims
        cfg.randomness = {'seed': bench.seed}
        cfg.load_from = None
        if self.after:
            start = next(student for student in STUDENTS if student.run == self.after).best(bench)
        else:
            start = Path(packed_model('teacher')[1])
        cfg.model.student.init_cfg.checkpoint = str(start)
        return cfg


@dataclass(frozen=True)
class Rival:
    """A network that is trained on the clips themselves.

    Args:
        name: In tables.
        config: Its training.
        poses: Whether it reads the teacher's poses (else pictures).
    """

    name: str
    config: str
    poses: bool = False


RIVALS = (
    Rival('ST-GCN', 'configs/baselines/stgcn_joint_10e_synthetic.py', poses=True),
    Rival('TSN, crops', 'configs/baselines/tsn_crop_10e_synthetic.py'),
)

JOINTS = Description('2D joints (teacher)', 'teacher/joints', 'joints', 26)
VIPE = Description('VIPE* (teacher)', 'teacher/vipe', 'vipe', 64)

#: The first is the one that pictures show.
STUDENTS = (
    Student('2D-VPD', 'vpd', 'joints', 'configs/distill/resnet18-teacher-start_2d-vpd_16e_synthetic.py', 26),
    Student('VI-VPD', 'vi-vpd', 'vipe', 'configs/distill/resnet18-teacher-start_vi-vpd_6e_synthetic.py', 64, 'vpd'),
)

#: All features that are compared, the teachers' first.
DESCRIPTIONS = (
    JOINTS,
    VIPE,
    *(Description(s.name, f'features/{s.run}', f'features-{s.run}', s.dims) for s in STUDENTS),
)
