"""The server as its tool starts it."""

import http.client
import time

import pytest
from studio_server import start_studio

from vpd_mm.corpus import Corpus


@pytest.mark.full
def test_a_connection_that_was_idle_is_served(tmp_path):
    Corpus.create(tmp_path / 'c')
    with start_studio(tmp_path / 'c', cwd=tmp_path) as url:
        connection = http.client.HTTPConnection(url.partition('://')[2], timeout=60)
        connection.connect()
        used = connection.sock
        for pause in (0, 6):  # uvicorn closes it after 5 s by default
            time.sleep(pause)
            connection.request('GET', '/api/corpus')
            answer = connection.getresponse()
            assert (answer.status, connection.sock) == (200, used)
            answer.read()
