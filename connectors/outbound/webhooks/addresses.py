"""Which addresses a webhook may be sent to. Pure.

Only addresses of the public internet, unless the subscription names the network. Addresses that carry an IPv4 address inside
(mapped, NAT64, 6to4) are judged by that.
"""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Public by their numbers to some versions of Python, but they answer inside clouds only: Azure's agent, Oracle's metadata.
PLATFORM = (ipaddress.IPv4Network("168.63.129.16/32"), ipaddress.IPv4Network("192.0.0.0/24"))


def refusal(text: str, allowed: Iterable[Network]) -> str:
    """Why this address may not be called; empty when it may.

    Args:
        text: an IP address as the resolver gave it.
        allowed: networks that the subscription names.
    """
    given = ipaddress.ip_address(text.partition("%")[0])
    address = _judged(given)
    if any(one.version == network.version and one in network for network in allowed for one in (given, address)):
        return ""
    if address.is_loopback:
        return "a loopback address"
    if address.is_link_local:
        return "a link-local address, where cloud machines keep their credentials"
    if address.is_multicast:
        return "a multicast address"
    if not address.is_global or address.is_reserved or any(address in network for network in PLATFORM):
        return "a private or reserved address"
    return ""


def _judged(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and address in NAT64:
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address


def unnamed(text: str, allowed: Iterable[Network]) -> str:
    """A refusal unless one of the networks holds the address: for what is sent unencrypted."""
    address = _judged(ipaddress.ip_address(text.partition("%")[0]))
    is_named = any(address.version == network.version and address in network for network in allowed)
    return "" if is_named else "outside the networks that may be called unencrypted"
