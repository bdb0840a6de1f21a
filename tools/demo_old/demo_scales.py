"""How much of everything the demonstration does: the one table of its sizes."""

from dataclasses import asdict, dataclass

from vpd_mm.errors import UserError
from vpd_mm.synthetic.corpus import FilmPlan, SportRecipe, plan_films
from vpd_mm.synthetic.routine import CLASSES


@dataclass(frozen=True)
class Scale:
    """The sizes of one run.

    Args:
        ks: Actions a class that recognition trains on, rising; (): all there are.
        train, val, test: Films; ``train`` = 0: as many as the last of ``ks`` needs, and a tenth more.
        side: Width and height of the films, px.
        sub_frames: Moments averaged over a film's open shutter.
        unlabelled: Films of further athletes, for distillation alone.
        epochs, draws: Of distillation; crops seen = epochs x draws.
        later_epochs: Of students that start from another student.
        val_frames, test_frames: Frames that distillation is measured on, at most; 0 = all.
        subsets: Few-shot subsets a method.
        iters, clips: Steps of a recogniser, and clips of each.
        folds, detect_epochs: Of the detector's ensemble.
        rival_epochs: Of the rivals; 0: those of their configs.
        test_ks: The k of precision@k.
    """

    ks: tuple[int, ...]
    train: int
    val: int
    test: int
    unlabelled: int
    side: int
    sub_frames: int
    epochs: int
    later_epochs: int
    draws: int
    val_frames: int
    test_frames: int
    subsets: int
    iters: int
    clips: int
    folds: int
    detect_epochs: int
    rival_epochs: int
    test_ks: tuple[int, ...]

    def films(self, recipe: SportRecipe) -> dict[str, int]:
        """Films of each split."""
        return {'train': self.train or self._train_films(recipe), 'val': self.val, 'test': self.test} | {
            'unlabelled': self.unlabelled
        }

    def _train_films(self, recipe: SportRecipe) -> int:
        wanted, have = int(1.1 * max(self.ks) * len(CLASSES)), 0
        plans: list[FilmPlan] = plan_films(recipe, 'train', wanted)
        for count, plan in enumerate(plans, 1):
            have += len(plan.skills)
            if have >= wanted:
                return count
        raise AssertionError('a film has at least one skill')

    def settings(self) -> dict:
        """As JSON has it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


SCALES = {
    # in a test: every part runs, nothing is learnt
    'tiny': Scale(
        ks=(), train=2, val=1, test=1, unlabelled=0, side=128, sub_frames=1, epochs=1, later_epochs=1, draws=200,
        val_frames=50, test_frames=0, subsets=1, iters=10, clips=16, folds=2, detect_epochs=1, rival_epochs=1,
        test_ks=(1, 3),
    ),
    # `make demo`: fifteen minutes of two cores
    'small': Scale(
        ks=(8,), train=0, val=3, test=8, unlabelled=0, side=256, sub_frames=8, epochs=20, later_epochs=2, draws=8000,
        val_frames=500, test_frames=2000, subsets=5, iters=300, clips=16, folds=2, detect_epochs=8, rival_epochs=3,
        test_ks=(1, 5, 10),
    ),
    # hours of two cores, or a GPU
    'full': Scale(
        ks=(1, 2, 4, 8, 16), train=120, val=16, test=40, unlabelled=80, side=256, sub_frames=8, epochs=100,
        later_epochs=40, draws=20000, val_frames=4000, test_frames=0, subsets=5, iters=1000, clips=50, folds=5,
        detect_epochs=100, rival_epochs=0, test_ks=(1, 10, 50),
    ),
}  # fmt: skip


def scale_named(name: str) -> Scale:
    """The scale of that name.

    Raises:
        UserError: there is none.
    """
    if name not in SCALES:
        raise UserError(f'scale {name!r}: must be one of {", ".join(SCALES)}')
    return SCALES[name]


__all__ = ['SCALES', 'Scale', 'scale_named']
