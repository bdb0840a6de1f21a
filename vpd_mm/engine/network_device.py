"""The network device through which the processes of a launcher reach each other."""

import socket
import struct
from contextlib import suppress

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: ioctl of Linux that gives the IPv4 address of a device; the address is at these bytes of the answer.
_SIOCGIFADDR, _ADDRESS = 0x8915, slice(20, 24)


def device_towards(host: str) -> str:
    """Return the name of the network device from which this machine sends to ``host``, '' where it is not known."""
    if fcntl is None:
        return ''
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # UDP: nothing is sent
        own = socket.inet_aton(probe.getsockname()[0])
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # a device without an address
                if fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack('256s', name.encode()))[_ADDRESS] == own:
                    return name
    return ''
