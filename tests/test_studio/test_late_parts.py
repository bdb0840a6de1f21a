"""Parts that are loaded after the start, and what their first requests need."""

import asyncio
import threading
from multiprocessing import forkserver

import numpy as np
from fastapi import FastAPI
from fastapi.testclient import TestClient
from learning_corpus import make_learning_corpus

from vpd_mm.retrieve import dtw_kernel
from vpd_mm.studio import Workspace, create_app, late_parts
from vpd_mm.studio.late_parts import LateParts
from vpd_mm.studio.search import Gallery, _nearest, compile_search
from vpd_mm.studio.segments import Segment


def test_parts_are_made_and_prepared_after_the_start(monkeypatch):
    monkeypatch.setattr(late_parts, '_DELAY_SEC', 0)
    done = []

    def make() -> FastAPI:
        done.append('made')
        return FastAPI()

    async def run() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        parts = LateParts(make, lambda: done.append('prepared') or loop.call_soon_threadsafe(ended.set))
        async with parts.lifespan(FastAPI()):
            await asyncio.wait_for(ended.wait(), 10)

    asyncio.run(run())
    assert done == ['made', 'prepared']


def test_the_process_that_trainings_are_forked_from_is_there_soon_after_the_start(monkeypatch, tmp_path):
    monkeypatch.setattr(late_parts, '_DELAY_SEC', 0)
    monkeypatch.setattr('vpd_mm.studio.search.compile_search', lambda: None)
    started = threading.Event()
    monkeypatch.setattr(forkserver, 'ensure_running', started.set)
    with TestClient(create_app(Workspace(make_learning_corpus(tmp_path / 'c'), 'vpd'))):
        assert started.wait(300)


def test_the_first_search_compiles_nothing():
    compile_search()
    compiled = list(dtw_kernel.search_one.signatures)
    assert compiled
    clips = [np.random.default_rng(k).normal(size=(8 + k, 2, 26)).astype(np.float32) for k in range(4)]
    gallery = Gallery([Segment('a', k, k + 8) for k in range(4)], clips)
    assert _nearest(clips[1], [(gallery, np.array([1]))], 3)[1]
    assert dtw_kernel.search_one.signatures == compiled
