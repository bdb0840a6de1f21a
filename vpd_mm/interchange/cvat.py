"""CVAT for video 1.1: boxes and skeletons of the athletes, frame by frame, and actions as tracks of their class.

One file is one task, which is one video.  Frames are those of the video.  A track of boxes with the label ``athlete``
is an athlete, one of skeletons its pose.  An action is a track of boxes whose label is the class: it begins with its
first box and ends with the first one that is ``outside``.  Read are also actions as an attribute ``action`` of the
boxes of an athlete, and as tags of the frames of a task of images.
"""

import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

import numpy as np

from ..errors import UserError
from ..files import MARK
from ..structures import MAX_FRAMES, AthleteTrack, PoseSequence
from ..visualize.skeleton import COCO17
from .entries import Entry, LabelledVideo, Reading, Source
from .fields import name_of, number_of, whole_of
from .videos import KnownNames
from .xml_io import parse_xml

ATHLETE, POSE = 'athlete', 'pose'
#: Labels of a track that is an athlete.
_PEOPLE = (ATHLETE, 'person', 'player', 'human')
#: Attribute of boxes that names the action.
_ACTION = 'action'
#: Values of that attribute for no action.
_NOTHING = ('', 'none', '__none__', '__undefined__', 'false')
#: Score of a joint that is hidden, and below which one is written as hidden.
_OCCLUDED = 0.5
_JOINTS = {name: i for i, name in enumerate(COCO17.joints)}
_SIDES = ('xtl', 'ytl', 'xbr', 'ybr')


@dataclass
class _Shape:
    """A box or skeleton of one frame."""

    frame: int
    outside: bool
    box: list[float] | None = None
    joints: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class _Track:
    where: str
    label: str
    shapes: list[_Shape] = field(default_factory=list)

    def visible(self) -> list[tuple[int, int, _Shape]]:
        """Spans (start, end, shape) in which each shape is seen: up to the next one, of the last one its frame."""
        shapes = sorted(self.shapes, key=lambda shape: shape.frame)
        ends = [shape.frame for shape in shapes[1:]] + [shapes[-1].frame + 1] if shapes else []
        return [(s.frame, max(end, s.frame + 1), s) for s, end in zip(shapes, ends) if not s.outside]

    def attribute(self, name: str) -> str:
        """First value of an attribute."""
        return next((s.attributes[name] for s in self.shapes if name in s.attributes), '')


class _Target:
    """Target of the XML parser that collects tracks, so that a long file is never held as a tree."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.source = reading, ''
        self.tracks: list[_Track] = []
        self.tags: dict[str, list[int]] = defaultdict(list)
        self._path: list[str] = []
        self._text: list[str] = []
        self._track: _Track | None = None
        self._shape: _Shape | None = None
        self._name = ''
        self._image: int | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._path.append(tag)
        self._text = []
        self._name = attributes.get('name', '') if tag == 'attribute' else ''
        where = f'track {attributes.get("id", "")}' if tag == 'track' else self._track.where if self._track else tag
        try:
            self._begin(tag, attributes, where)
        except UserError as e:
            self.reading.skip(where, str(e))
            self._shape = None

    def _begin(self, tag: str, attributes: dict[str, str], where: str) -> None:
        if tag == 'track':
            self._track = _Track(where, attributes.get('label', '').strip())
        elif tag == 'image':
            self._image = whole_of(attributes.get('id'), 'id of an image')
        elif tag == 'tag' and self._image is not None:
            self.tags[name_of(attributes.get('label'), 'label')].append(self._image)
        elif tag in ('box', 'skeleton') and self._track is not None:
            self._shape = None
            frame = whole_of(attributes.get('frame'), 'frame')
            if not 0 <= frame < MAX_FRAMES:
                raise UserError(f'frame {frame} is negative or too large')
            shape = _Shape(frame, attributes.get('outside') == '1')
            if tag == 'box':
                shape.box = [number_of(attributes.get(side), side) for side in _SIDES]
            self._shape = shape
        elif tag == 'points' and self._shape is not None and self._path[-2] == 'skeleton':
            self._shape.joints[attributes.get('label', '').strip()] = _joint(attributes)

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, tag: str) -> None:
        self._path.pop()
        text = ''.join(self._text).strip()
        self._text = []
        if tag == 'attribute' and self._shape is not None:
            self._shape.attributes[self._name.lower()] = text
        elif tag in ('box', 'skeleton') and self._track is not None and self._shape is not None:
            self._track.shapes.append(self._shape)
            self._shape = None
        elif tag == 'track' and self._track is not None:
            self.tracks.append(self._track)
            self._track = None
        elif tag == 'image':
            self._image = None
        elif tag == 'source' and 'meta' in self._path:
            self.source = text

    def close(self) -> '_Target':
        return self


def _joint(attributes: dict[str, str]) -> tuple[float, float, float]:
    x, _, y = attributes.get('points', '').partition(',')
    score = 0.0 if attributes.get('outside') == '1' else _OCCLUDED if attributes.get('occluded') == '1' else 1.0
    return number_of(x, 'points'), number_of(y, 'points'), score


def read(source: Source, known: KnownNames) -> Reading:
    """Read actions, boxes and poses of a task; raises UserError where it is no such file."""
    reading = Reading()
    content: _Target = parse_xml(source, 'annotations', _Target(reading))
    video = content.source or source.stem
    for track in content.tracks:
        with reading.attempt(track.where):
            if not track.shapes:
                raise UserError('has neither boxes nor skeletons')
            athlete = name_of(track.attribute(ATHLETE), ATHLETE, empty=True)
            if any(shape.joints for shape in track.shapes):
                _add(reading.poses, (video, athlete), _poses(track), 'poses')
            elif track.label in known.classes or track.label.lower() not in _PEOPLE:
                label = name_of(track.label, 'label')
                spans = [(start, end) for start, end, _ in track.visible()]
                _add_runs(reading, track.where, video, label, spans, athlete)
            else:
                info = known.get(video, athlete)
                if info is not None:
                    _add(reading.tracks, (video, athlete), _boxes(track, info.num_frames), 'boxes')
                actions: dict[str, list[tuple[int, int]]] = defaultdict(list)
                for start, end, shape in track.visible():
                    value = shape.attributes.get(_ACTION, '').strip()
                    if value.lower() not in _NOTHING:
                        actions[value].append((start, end))
                for value, spans in actions.items():
                    _add_runs(reading, track.where, video, name_of(value, _ACTION), spans, athlete)
    for label, frames in content.tags.items():
        spans = [(frame, frame + 1) for frame in sorted(set(frames))]
        _add_runs(reading, f'tag {label}', video, label, spans, '')
    return reading


def _add(parts: dict, key: tuple[str, str], part: Any, what: str) -> None:
    if key in parts:
        raise UserError(f'a second track of {what} of the same athlete; give each an attribute {ATHLETE!r}')
    parts[key] = part


def _add_runs(reading: Reading, where: str, video: str, label: str, spans: list[tuple[int, int]], athlete: str) -> None:
    """Add an entry for each run of spans that follow each other without a gap."""
    runs: list[list[int]] = []
    for start, end in spans:
        if runs and runs[-1][1] == start:
            runs[-1][1] = end
        else:
            runs.append([start, end])
    for start, end in runs:
        reading.entries.append(Entry(where, video, label, start, end, in_seconds=False, athlete=athlete))


def _boxes(track: _Track, num_frames: int) -> AthleteTrack:
    """Boxes at all frames of a track; between two of them they move in a straight line, as in CVAT.

    Raises:
        UserError: a frame is beyond those of the video, or a box has no area.
    """
    inds: list[int] = []
    boxes: list[np.ndarray] = []
    visible = track.visible()
    for (start, end, shape), following in zip(visible, [*visible[1:], None]):
        box = np.array(shape.box)
        last = np.array(following[2].box) if following and following[0] == end else box
        if end > num_frames:
            raise UserError(f'its boxes continue to frame {end - 1}, the video has {num_frames}')
        for frame in range(start, end):
            inds.append(frame)
            boxes.append(box + (last - box) * (frame - start) / (end - start))
    values = np.array(boxes, np.float32).reshape(-1, 4)
    return AthleteTrack(np.array(inds, np.int64), values, np.ones(len(inds), np.float32))


def _poses(track: _Track) -> PoseSequence:
    """Skeletons of the frames that a track lists; joints are those of COCO by their names."""
    shapes = sorted((s for s in track.shapes if not s.outside and s.joints), key=lambda s: s.frame)
    if not any(name in _JOINTS for shape in shapes for name in shape.joints):
        raise UserError(f'its points have no names of joints, such as {COCO17.joints[0]} or {COCO17.joints[5]}')
    joints = np.zeros((len(shapes), len(_JOINTS), 3), np.float32)
    for row, shape in enumerate(shapes):
        for name, values in shape.joints.items():
            if name in _JOINTS:
                joints[row, _JOINTS[name]] = values
    inds = np.array([shape.frame for shape in shapes], np.int64)
    return PoseSequence(inds, joints[..., :2], joints[..., 2])


def write(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write the athletes of one video file."""
    text = io.StringIO()
    xml = XMLGenerator(text, 'utf-8', short_empty_elements=True)
    xml.startDocument()
    text.write(f'<!-- {MARK} -->\n')
    _begin(xml, 'annotations')
    _leaf(xml, 'version', '1.1')
    _write_nested(xml, 'meta', _meta(videos[0], classes))
    number = 0
    for video in videos:
        for label, shapes in _tracks_of(video):
            _begin(xml, 'track', {'id': str(number), 'label': label, 'source': 'manual'})
            for tag, attributes, points in shapes:
                _begin(xml, tag, attributes)
                for point in points:
                    _leaf(xml, 'points', '', point)
                if video.athlete:
                    _leaf(xml, 'attribute', video.athlete, {'name': ATHLETE})
                xml.endElement(tag)
            xml.endElement('track')
            text.write('\n')
            number += 1
    xml.endElement('annotations')
    return text.getvalue().encode()


def _begin(xml: XMLGenerator, tag: str, attributes: dict[str, str] | None = None) -> None:
    xml.startElement(tag, AttributesImpl(attributes or {}))


def _leaf(xml: XMLGenerator, tag: str, text: str = '', attributes: dict[str, str] | None = None) -> None:
    _begin(xml, tag, attributes)
    xml.characters(text)
    xml.endElement(tag)


def _write_nested(xml: XMLGenerator, tag: str, content: str | Sequence[tuple]) -> None:
    """Write an element with text, or with children, each a tag and a content."""
    _begin(xml, tag)
    if isinstance(content, str):
        xml.characters(content)
    else:
        for child in content:
            _write_nested(xml, *child)
    xml.endElement(tag)


def _meta(video: LabelledVideo, classes: Sequence[str]) -> list[tuple]:
    info, last = video.info, str(video.info.num_frames - 1)
    task = {'name': info.file_name, 'size': str(info.num_frames), 'mode': 'interpolation', 'overlap': '0'}
    task |= {'start_frame': '0', 'stop_frame': last, 'frame_filter': ''}
    labels = [_label(name, 'rectangle') for name in (ATHLETE, *classes)]
    labels += [_label(POSE, 'skeleton'), *(_label(name, 'points', POSE) for name in COCO17.joints)]
    return [
        ('task', [*task.items(), ('labels', labels)]),
        ('original_size', [('width', str(info.width)), ('height', str(info.height))]),
        ('source', video.file_name),
    ]


def _label(name: str, kind: str, parent: str = '') -> tuple[str, list[tuple]]:
    values = {'name': ATHLETE, 'mutable': 'False', 'input_type': 'text', 'default_value': '', 'values': ''}
    attributes = [] if parent else [('attribute', [*values.items()])]
    more = [('parent', parent)] if parent else []
    return 'label', [('name', name), ('type', kind), ('attributes', attributes), *more]


#: Tag, attributes and points of one shape.
_Written = tuple[str, dict[str, str], list[dict[str, str]]]


def _tracks_of(video: LabelledVideo) -> Iterator[tuple[str, list[_Written]]]:
    """Label and shapes of each track of an athlete: boxes, poses, actions."""
    boxes = {}
    if video.track is not None and len(video.track):
        boxes = dict(zip(video.track.frame_inds.tolist(), video.track.boxes.tolist()))
        yield ATHLETE, list(_closed([_box(frame, box) for frame, box in boxes.items()], video))
    if video.poses is not None and len(video.poses):
        rows = zip(video.poses.frame_inds.tolist(), video.poses.keypoints, video.poses.scores)
        yield POSE, list(_closed([_skeleton(*row) for row in rows], video))
    whole = [0.0, 0.0, float(video.info.width), float(video.info.height)]
    for label in video.labels:
        frames = sorted({label.start_frame, label.end_frame - 1})
        shapes = [_box(frame, boxes.get(frame, whole)) for frame in frames]
        yield label.label, [*shapes, *_outside(shapes[-1], label.end_frame, video)]


def _closed(shapes: list[_Written], video: LabelledVideo) -> Iterator[_Written]:
    """Shapes with one that is outside after each run of frames."""
    for shape, following in zip(shapes, [*shapes[1:], None]):
        yield shape
        frame = int(shape[1]['frame']) + 1
        if following is None or int(following[1]['frame']) > frame:
            yield from _outside(shape, frame, video)


def _outside(shape: _Written, frame: int, video: LabelledVideo) -> Iterator[_Written]:
    """The shape at which a track ends, where the video has such a frame."""
    if frame < video.info.num_frames:
        yield shape[0], {**shape[1], 'frame': str(frame), 'outside': '1'}, shape[2]


def _box(frame: int, box: Sequence[float]) -> _Written:
    sides = {side: f'{value:.2f}' for side, value in zip(_SIDES, box, strict=True)}
    return 'box', {**_state(frame), **sides, 'z_order': '0'}, []


def _skeleton(frame: int, keypoints: np.ndarray, scores: np.ndarray) -> _Written:
    points = []
    for name, (x, y), score in zip(COCO17.joints, keypoints.tolist(), scores.tolist(), strict=True):
        flags = {'outside': str(int(score == 0)), 'occluded': str(int(0 < score < _OCCLUDED))}
        points.append({'label': name, 'keyframe': '1', **flags, 'points': f'{x:.2f},{y:.2f}'})
    return 'skeleton', {**_state(frame), 'z_order': '0'}, points


def _state(frame: int) -> dict[str, str]:
    return {'frame': str(frame), 'keyframe': '1', 'outside': '0', 'occluded': '0'}
