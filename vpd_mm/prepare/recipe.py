"""Record the options of a prepare run as the recipe of its corpus."""

from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path

from ..athlete.recipe import PLAIN_BOXES, Recipe
from ..corpus import Corpus
from ..corpus.stale_files import sources_in
from ..engine.paths import config_dir, find_config
from ..errors import UserError
from ..files import file_digest
from .options import PrepareSettings, split_model
from .report import VideoReport
from .sources import boxes_source

_PACKAGE = Path(__file__).resolve().parents[1]


def describe_boxes(boxes: str) -> tuple[str, tuple[str, str] | None]:
    """Return ``boxes`` and ``boxes_weights`` of a :class:`Recipe` for an option ``--boxes``."""
    if not boxes.startswith('mmdet:'):
        return boxes if boxes in PLAIN_BOXES else 'files', None
    config, checkpoint = split_model(boxes)
    return f'mmdet:{_name_config(config)}', _identify(checkpoint)


def recipe_of(settings: PrepareSettings) -> Recipe:
    """Return the recipe of a run: configs by package, weights by absolute path and content."""
    boxes, weights = describe_boxes(settings.boxes)
    return Recipe(
        boxes=boxes,
        boxes_weights=weights,
        track=dict(settings.tracker) if settings.boxes_by_model else {},
        size=settings.size,
        flow=settings.flow,
        flow_weights=_identify(settings.flow_checkpoint),
        subtract_median=settings.subtract_median,
        fps=settings.fps,
    )


def record_recipe(
    corpus: Corpus, settings: PrepareSettings, recipe: Recipe, reports: Collection[VideoReport], made_tracks: bool
) -> list[str]:
    """Record the recipe of a run, and return a line for each field in which it differs from that of an earlier run.

    Only options that wrote a file are recorded: the boxes with tracks, the others with crops.  Files of a run that was
    killed before it could record them count too; those of other options have been refused or removed.

    Args:
        corpus, settings, recipe, reports: The corpus, and the options, their recipe and the results of the run.
        made_tracks: The run has made a track.
    """
    before = Recipe.from_json(corpus.recipe, corpus.root / 'corpus.json')
    own, of_boxes = before or Recipe(), ('boxes', 'boxes_weights', 'track')
    if not made_tracks and any(getattr(own, name) != getattr(recipe, name) for name in of_boxes):
        made_tracks = sources_in(corpus.tracks_dir) == [boxes_source(settings)]
    made_crops = any(report.crops and (report.decoded or own.size is None) for report in reports)
    kept = [f.name for f in fields(Recipe) if not (made_tracks if f.name in of_boxes else made_crops)]
    recipe = replace(recipe, **{name: getattr(own, name) for name in kept})
    if recipe != own:
        corpus.record_recipe(recipe.to_json())
    if before is None:
        return []
    names = ('boxes', 'track', 'size', 'flow', 'subtract_median')
    pairs = [(name, getattr(before, name), getattr(recipe, name)) for name in names]
    return [f'{name} {new}: an earlier run had {old}' for name, old, new in pairs if old != new]


def _name_config(config: str) -> str:
    """Name a config as ``package::path``, one of the zoo by its name or stem, a file of the user as ``name.py``."""
    if '::' in config:
        return config
    try:
        path = find_config(config)
    except UserError:  # a name or a stem
        return Path(config).name.removesuffix('.py')
    for package in ('mmdet', 'mmpose', 'vpd_mm'):
        if (folder := config_dir(package).resolve()) in path.parents:
            return f'{package}::{path.relative_to(folder).as_posix()}'
    return path.name


def _identify(checkpoint: str | None) -> tuple[str, str] | None:
    """Path and SHA-256 of weights: absolute, within this package relative to it; a URL or a missing file has none."""
    if checkpoint is None:
        return None
    if not Path(checkpoint).is_file():
        return checkpoint, ''
    path = Path(checkpoint).resolve()
    name = path.relative_to(_PACKAGE.parent) if _PACKAGE in path.parents else path
    return name.as_posix(), file_digest(path)
