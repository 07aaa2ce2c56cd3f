"""Who a request comes from, for limits that hold for each peer.

The peer is the other end of the connection. Behind a proxy that is the proxy for every client: headers such as
X-Forwarded-For are not read, because any client can write them.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote

LOCAL = "this machine"


def peer_of_host(host: str) -> str:
    """The peer at an address.

    Args:
        host: The numbers of the address. All addresses of an IPv6 network of 64 bits are one peer, for whoever has one
            of them has all of them.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return LOCAL
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def peer_of_grpc(peer: str) -> str:
    """The peer that gRPC names, e.g. "ipv4:127.0.0.1:50123" or "ipv6:%5B::1%5D:50123"."""
    kind, _, address = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return LOCAL
    return peer_of_host(address.rpartition(":")[0].strip("[]"))
