"""Ports: free ones are found, and the holder of a taken one is named."""

import os
import socket
import time

import pytest

from truetape.dev.errors import PortInUse
from truetape.dev.ports import free_base, is_free, require_free
from truetape.settings import PORT_OFFSETS


def test_a_free_base_has_all_its_ports_free() -> None:
    base = free_base()
    assert all(is_free(base + offset) for offset in PORT_OFFSETS.values())


def test_a_taken_port_names_purpose_and_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"port {port} \(gateway\) is held by pid {os.getpid()} \(.*pytest"):
            require_free(port, "gateway")
    require_free(port, "gateway")


def test_a_server_on_all_addresses_counts_too() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUse, match=f"pid {os.getpid()}"):
            require_free(port, "kafka")


def test_a_port_that_a_client_has_just_left_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # The server's side closes first and stays in TIME_WAIT.
        time.sleep(0.01)
        client.close()
    assert is_free(port)
