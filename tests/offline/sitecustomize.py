"""Put on PYTHONPATH by tests: every Python process started below may talk to this machine only.

A refused attempt is written to $VATRA_TEST_SOCKETS, so that a library that swallows the error is caught too.
"""

import ipaddress
import os
import socket

_connect, _connect_ex = socket.socket.connect, socket.socket.connect_ex
_resolve = socket.getaddrinfo


def _refuse(where: object) -> OSError:
    log = os.environ.get("VATRA_TEST_SOCKETS")
    if log:
        with open(log, "a", encoding="utf-8") as sink:  # noqa: PTH123 - as little as possible at start-up
            sink.write(f"{where}\n")
    return OSError(f"the test blocks this connection: {where}")


def _is_loopback(host: object) -> bool:
    if host in ("localhost", "", None):
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


def _checked(call):  # type: ignore[no-untyped-def]
    def guarded(self, address, *more):  # type: ignore[no-untyped-def]
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise _refuse(address)
        return call(self, address, *more)

    return guarded


def _lookup(host, *more, **named):  # type: ignore[no-untyped-def]
    if isinstance(host, bytes):
        host = host.decode()
    if not _is_loopback(host) and host != "0.0.0.0":
        raise _refuse(host)
    return _resolve(host, *more, **named)


socket.socket.connect = _checked(_connect)
socket.socket.connect_ex = _checked(_connect_ex)
socket.getaddrinfo = _lookup
