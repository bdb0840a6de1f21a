"""Pictures and times of each container, as the benchmark prints them."""

import av
import pytest

from benchmarks.containers import CASES, CLOCKS, main, measure


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_pictures_and_times_are_those_of_every_container(tmp_path, case):
    try:
        av.Codec(case.codec, 'w')
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f'PyAV has no encoder {case.codec}')
    for clock in case.clocks:
        *_, num_frames, fps, iteration, resampled, random_access, seconds = measure(case, clock, tmp_path)
        assert (iteration, resampled, random_access, seconds) == (True,) * 4
        if not case.num_lost:
            ticks = CLOCKS[clock]
            assert fps == pytest.approx(60 * (len(ticks) - 1) / ticks[-1], abs=0.005)
            assert num_frames == len(ticks) * (1 + case.joined)


def test_a_table_is_printed(monkeypatch, capsys):
    monkeypatch.setattr('benchmarks.containers.CASES', CASES[:1])
    assert main([]) == 0
    assert '| mp4 | variable | 24 | 35.38 | same | same | same | same |' in capsys.readouterr().out
