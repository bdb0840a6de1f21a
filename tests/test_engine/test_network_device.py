"""The device of gloo: that which leads to the first machine."""

import socket

import pytest

from vpd_mm.engine import network_device


@pytest.mark.skipif(not hasattr(network_device.fcntl, 'ioctl'), reason='needs ioctl')
def test_the_device_is_the_one_that_sends_to_an_address(monkeypatch):
    assert network_device.device_towards('127.0.0.1') == 'lo'
    assert network_device.device_towards('localhost') == 'lo'
    assert network_device.device_towards('nowhere.invalid') == ''
    if _has_route():
        devices = {name for _, name in socket.if_nameindex()} - {'lo'}
        assert network_device.device_towards('198.51.100.1') in devices
    monkeypatch.setattr(network_device, 'fcntl', None)
    assert network_device.device_towards('127.0.0.1') == ''


def _has_route() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex(('198.51.100.1', 9)) == 0
