#!/usr/bin/env python3
"""Which protocols and ciphers a TLS port takes, beside what doc/tls.md says.

  tools/tls-scan.py HOST:PORT [--cert FILE --key FILE]

It tries each version of the protocol, and each cipher of TLS 1.2 and before that the OpenSSL of
python knows, one connection each. TLS 1.3 is tried whole: python can't choose its ciphers. The exit
status is 1 if anything is taken that the page does not name, or refused that it names for the kind
of key that the server has.
"""
import argparse
import socket
import ssl
import sys
import warnings

NAMED = {
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
}
NEW = {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"}
VERSIONS = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def attempt(where, version, cipher, cert):
    """The cipher that was agreed on; None: refused. ValueError: this OpenSSL can't try it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if cert[0]:
        context.load_cert_chain(*cert)
    try:
        # Old versions are only offered at the lowest level of OpenSSL.
        context.set_ciphers(f"{cipher or 'ALL'}:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    except (ssl.SSLError, ValueError) as e:
        raise ValueError(str(e)) from e
    try:
        with socket.create_connection(where, 5) as plain, context.wrap_socket(plain) as s:
            s.sendall(b"PING\r\n")
            s.recv(64)
            return s.cipher()[0]
    except (ssl.SSLError, OSError):
        return None


def main():
    warnings.simplefilter("ignore", DeprecationWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    args = parser.parse_args()
    host, _, port = args.address.rpartition(":")
    where, cert, wrong = (host, int(port)), (args.cert, args.key), 0
    for version in VERSIONS:
        got = attempt(where, version, None, cert)
        expected = version >= ssl.TLSVersion.TLSv1_2
        wrong += (got is not None) != expected
        print(f"{version.name:10} {got or 'refused'}{'' if (got is not None) == expected else '   NOT AS DOCUMENTED'}")
        if version == ssl.TLSVersion.TLSv1_3 and got and got not in NEW:
            wrong += 1
    everything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    everything.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    names = [c["name"] for c in everything.get_ciphers() if not c["name"].startswith("TLS_")]
    taken = {name for name in names if attempt(where, ssl.TLSVersion.TLSv1_2, name, cert)}
    kinds = {kind for kind in ("ECDSA", "RSA") if any(f"-{kind}-" in name for name in taken)}
    due = {name for name in NAMED if any(f"-{kind}-" in name for kind in kinds)}
    print(f"TLS 1.2: {len(names)} ciphers tried, {len(taken)} taken")
    for name in sorted(taken | due):
        note = "" if name in taken & due else "   NOT AS DOCUMENTED"
        wrong += bool(note)
        print(f"  {name:32} {'taken' if name in taken else 'refused'}{note}")
    if not taken:
        wrong += 1
        print("  nothing is taken   NOT AS DOCUMENTED")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
