"""The settings of the paper: where they live, what differs and why, and the page of the documentation."""

from pathlib import Path

import pytest
from paper import main

from vpd_mm.errors import UserError
from vpd_mm.experiments.paper_settings import SETTINGS, text_of, value_of

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'paper.md'
ROWS = {f'{step}: {row.name}': row for step, rows in SETTINGS.items() for row in rows}
#: Settings that protocol 'paper' leaves as they are by default; ``why`` says so.
NOT_AS_PUBLISHED = {
    'Athlete: optical flow',
    'Normalised 2D joints: joints whose mean score is the confidence',
    'Normalised 2D joints: lost joints are filled in',
    'VIPE*: selected by',
    'VIPE*: packed: width of the encoder',
    'VIPE*: packed: epochs',
    'VIPE*: packed: negatives of the same sequence',
    'Clips: first of three lost frames between 0 and 1',
    'Clips: frames of an element from 1 s to 2 s, FX35',
    'Clips: frames left out of a dive of one second at 30 fps',
    'Recognition: mixed precision',
    'Recognition: first validations after epoch',
    'Recognition: samples of a validation clip with both views',
    'Recognition: of equal epochs the later one is kept',
    'Detection: unit of a fold',
}


def test_names_are_unique():
    assert len(ROWS) == sum(map(len, SETTINGS.values()))


@pytest.mark.parametrize('name', ROWS)
def test_a_default_that_differs_has_a_reason(name):
    row = ROWS[name]
    stated = row.published if row.paper == '' else row.paper
    assert bool(row.why) == (text_of(row.value('default')) != text_of(stated))


@pytest.mark.parametrize('name', ROWS)
def test_protocol_paper_has_the_published_value(name):
    row = ROWS[name]
    option = row.published == '' or str(row.published).endswith('(option)')
    published = row.paper if option else row.published
    assert (text_of(row.value('paper')) != text_of(published)) == (name in NOT_AS_PUBLISHED)


def test_the_page_is_what_the_command_prints(capsys):
    main(['--markdown'])
    assert capsys.readouterr().out == PAGE.read_text(encoding='utf-8')


def test_the_table_on_the_terminal(capsys):
    main([])
    assert all(step in capsys.readouterr().out for step in list(SETTINGS)[:1])


def test_a_wrong_path_is_an_error():
    for where, part in [
        ('distill: optim_wrapper.optimizer.rate', 'rate'),
        ('distill: train_dataloader.dataset.pipeline.Blur.sigma', 'Blur'),
        ('fsjump6: pitch', 'pitch'),
        ('vpd_mm.athlete.square_cropper: MARGIN', 'MARGIN'),
    ]:
        with pytest.raises(UserError, match=f"no '{part}'"):
            value_of(where, 'default')
