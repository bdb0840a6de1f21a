"""The way from a video to the input of a student, as a corpus and the student's checkpoint record it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..corpus import Corpus, CropStore
from ..corpus.corpus import MAX_FPS
from ..corpus.stale_files import sources_in
from ..engine.paths import find_weights
from ..errors import UserError, counted
from ..files import file_digest
from .flow import METHODS
from .square_cropper import SquareCropper

#: Options where no recipe is known.
DEFAULTS: dict[str, Any] = {'size': 128, 'flow': 'dis', 'subtract_median': False, 'track': {}}
#: Boxes without a model; ``files`` are boxes of another program, which exist for the videos of the corpus only.
PLAIN_BOXES = ('full', 'mediapipe', 'files')
#: A detector of a recipe: a name of mmdet's model zoo, or a config inside an installed package; never another file.
_DETECTOR = re.compile(
    r'mmdet:(?!.*\.py$)[A-Za-z0-9_-][\w.-]*|mmdet:(?:mmdet|mmpose|vpd_mm)::(?:[A-Za-z0-9_-][\w.-]*/)*[A-Za-z0-9_-][\w.-]*\.py',
    re.ASCII,
)
_SHA256 = re.compile('(?:[0-9a-f]{64})?')
_WORD = re.compile(r'[A-Za-z_]\w{0,39}', re.ASCII)
#: Largest absolute value of a rule of the tracker, largest number of rules, longest text.
_MAX_RULE, _MAX_RULES, _MAX_TEXT = 1e6, 50, 1000


@dataclass(frozen=True)
class Recipe:
    """Boxes, crops, flow and rate of a corpus; a field is None where it is unknown or differs between the videos.

    A corpus records it in corpus.json, a training in the metadata of its checkpoint, an export in the ONNX file.
    These files may come from others: every field is checked, and :meth:`boxes_option` uses no config outside of the
    installed packages.

    Args:
        boxes: ``full``, ``mediapipe``, ``files`` (of another program), or ``mmdet:<name or package::config>``.
        boxes_weights, flow_weights: Path and SHA-256 of weights that are not those of the model zoo ('' of a URL).
        track: Rules of the tracker.
        size, flow, subtract_median: Side of the crops, px; see ``FlowEstimator``.
        fps: Rate to which the videos were resampled; None = frames as decoded.
        teacher, poses: Name of the teacher, and of the pose set that it was made of.

    Raises UserError: a field has no valid value.
    """

    boxes: str | None = None
    boxes_weights: tuple[str, str] | None = None
    track: Mapping[str, Any] = field(default_factory=dict)
    size: int | None = None
    flow: str | None = None
    flow_weights: tuple[str, str] | None = None
    subtract_median: bool | None = None
    fps: float | None = None
    teacher: str | None = None
    poses: str | None = None

    def __post_init__(self) -> None:
        for name, is_valid, allowed in (
            ('boxes', _is_text, 'a text'),
            ('teacher', _is_text, 'a text'),
            ('poses', _is_text, 'a text'),
            ('boxes_weights', _is_file, 'a path and a SHA-256'),
            ('flow_weights', _is_file, 'a path and a SHA-256'),
            ('track', _are_rules, f'numbers of at most {_MAX_RULE:g}, or words, by name'),
            ('size', lambda size: type(size) is int, 'a whole number'),
            ('flow', lambda flow: isinstance(flow, str) and flow in METHODS, f'one of {", ".join(METHODS)}'),
            ('subtract_median', lambda value: type(value) is bool, 'true or false'),
            ('fps', lambda fps: _is_number(fps) and 0 < fps <= MAX_FPS, f'above 0, at most {MAX_FPS}'),
        ):
            value = getattr(self, name)
            if value is not None and not is_valid(value):
                raise UserError(f'recipe: {name} must be {allowed}, found {str(value)[:100]!r}')
        if self.size is not None:
            SquareCropper(self.size)

    @classmethod
    def from_json(cls, values: Any, where: object) -> 'Recipe | None':
        """Read the recipe of ``where``; None where it has none.  Fields of newer versions are ignored."""
        if values is None:
            return None
        hint = 'train or export again, or prepare the corpus again'
        if not isinstance(values, Mapping):
            raise UserError(f'{where}: recipe must be an object, found {type(values).__name__}; {hint}')
        known: dict[str, Any] = {f.name: values[f.name] for f in fields(cls) if values.get(f.name) is not None}
        known = {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}
        try:
            return cls(**known)
        except UserError as e:
            raise UserError(f'{where}: {e}; {hint}') from e

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def choose(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return each option of ``given`` with its value, else (None) as recorded, else the default.

        Also returns a line for each given value that differs from the record.
        """
        chosen, lines = {}, []
        for name, value in given.items():
            own = getattr(self, name)
            chosen[name] = value if value is not None else DEFAULTS[name] if own is None else own
            if value is not None and own is not None and value != own:
                lines.append(f"{name} {value}: given; the student's corpus was made with {own}")
        return chosen, lines

    def boxes_option(self) -> str | None:
        """Return the boxes as an option of prepare; None where they are unknown or came from files.

        Raises UserError: the detector is no model of an installed package, or its weights are missing or have changed.
        """
        if self.boxes is None or self.boxes in PLAIN_BOXES:
            return None if self.boxes == 'files' else self.boxes
        hint = 'pass --boxes'
        if not _DETECTOR.fullmatch(self.boxes):
            raise UserError(f"the student's corpus was made with boxes {self.boxes}, a config of its author; {hint}")
        if self.boxes_weights is None:
            return self.boxes
        return f'{self.boxes}:{_check_weights(*self.boxes_weights, f"{hint} {self.boxes}:<checkpoint>")}'

    def flow_checkpoint(self) -> str | None:
        """Return the weights of raft; UserError where they are missing or have changed."""
        return self.flow_weights and _check_weights(*self.flow_weights, 'pass --flow-checkpoint')


def _check_weights(path: str, digest: str, hint: str) -> str:
    """Return a local file of this content."""
    local = find_weights(path) if path.startswith('vpd_mm/') else path
    problem = 'is no file of this machine'
    if Path(local).is_absolute() and not local.startswith(('//', '\\\\')):
        try:
            if file_digest(local) == digest:
                return local
            problem = 'has another content now'
        except UserError:
            problem = 'no such file'
    raise UserError(f"the student's corpus was made with the weights {path}: {problem}; {hint}")


def corpus_recipe(
    corpus: Corpus, store: CropStore, videos: Iterable[str], teacher: str | None = None
) -> tuple[Recipe, list[str]]:
    """Read the recipe of videos of a corpus: their crops, and for the boxes what prepare has recorded.

    Also returns a line for each field in which the videos differ.
    """
    recorded = Recipe.from_json(corpus.recipe, corpus.root / 'corpus.json') or Recipe()
    values: dict[str, Any] = asdict(recorded) | {'fps': corpus.fps, 'teacher': teacher}
    lines = []
    for name, variants in crop_settings(store, videos).items():
        values[name] = next(iter(variants)) if len(variants) == 1 else None
        if len(variants) > 1:
            texts = (f'{value} ({len(names)}, first {names[0]})' for value, names in variants.items())
            lines.append(f'{corpus.root}: videos differ in {name}: {", ".join(texts)}')
    if values['flow'] not in METHODS:  # flow of other programs
        values['flow'] = None
    sources = sources_in(corpus.tracks_dir)
    if len(sources) > 1:
        values |= {'boxes': None, 'boxes_weights': None, 'track': {}}
        lines.append(f'{corpus.root}: videos differ in boxes: {", ".join(map(str, sources))}')
    elif sources and recorded.boxes is None:  # of a former version
        boxes = str(sources[0].get('boxes', 'files'))  # an importer names none
        values['boxes'] = boxes if boxes in PLAIN_BOXES else 'files' if Path(boxes).is_absolute() else boxes
        values['track'] = sources[0].get('track', {})
    if teacher is not None:
        sets = {source.get('poses') for source in sources_in(corpus.teacher_dir(teacher))}
        values['poses'] = sets.pop() if len(sets) == 1 else None
    return Recipe(**values), lines


def crop_settings(store: CropStore, videos: Iterable[str]) -> dict[str, dict[Any, list[str]]]:
    """Return size, flow and subtract_median of the crops: each value to the videos that have it."""
    variants: dict[str, dict[Any, list[str]]] = {'size': {}, 'flow': {}, 'subtract_median': {}}
    for video in videos:
        try:
            header = store.settings(video)
        except UserError:  # reading its crops reports it
            continue
        flow = header.flow or {'method': 'none'}
        for name, value in (
            ('size', header.size),
            ('flow', str(flow.get('method'))),
            ('subtract_median', bool(flow.get('subtract_median'))),
        ):
            variants[name].setdefault(value, []).append(video)
    return variants


def differences(student: Recipe, corpus: Corpus) -> list[str]:
    """Return a line for each field in which a corpus differs from the one that a student was trained on."""
    store, lines = CropStore(corpus.crops_dir), []
    for name, variants in crop_settings(store, store.videos()).items():
        own = getattr(student, name)
        for value, videos in variants.items() if own is not None else ():
            if value != own:
                lines.append(
                    f'{name} {value} in {counted(len(videos), "video")} (first {videos[0]}), of the student {own}'
                )
    if corpus.fps != student.fps:
        rates = ['as decoded' if fps is None else f'{fps:g}' for fps in (corpus.fps, student.fps)]
        lines.append(f'fps {rates[0]}, of the student {rates[1]}')
    boxes = corpus_recipe(corpus, store, [])[0].boxes
    if None not in (boxes, student.boxes) and boxes != student.boxes:
        lines.append(f'boxes {boxes}, of the student {student.boxes}')
    return lines


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT and value.isprintable()


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= _MAX_RULE


def _is_file(value: Any) -> bool:
    is_pair = isinstance(value, tuple) and len(value) == 2 and all(map(_is_text, value))
    return is_pair and bool(_SHA256.fullmatch(value[1]))


def _are_rules(value: Any) -> bool:
    if not isinstance(value, Mapping) or len(value) > _MAX_RULES:
        return False
    words = [*value, *(v for v in value.values() if not _is_number(v) and type(v) is not bool)]
    return all(isinstance(word, str) and _WORD.fullmatch(word) for word in words)
