#!/bin/sh
# Makes the certificates that the tests of TLS use, with OpenSSL. They are in the tree, so that the
# tests need no OpenSSL; this is for whoever wants others.
#
#   ca, stranger-ca          two authorities
#   server                   for servers, by the first
#   client                   for clients, by the first: common name alice, URI spiffe://test/bob
#   old                      of version 1 of X.509, without extensions, by the first
#   stranger                 for clients, by the second
#   encrypted.key            the server's key, with the password 1234
set -eu
cd "$(dirname "$0")"
days=36500

authority() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
    openssl req -x509 -new -sha256 -key "$1.key" -days $days -subj "/O=Redust tests/CN=$1" -out "$1.crt"
}

# name, common name, authority, extensions
certificate() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
    printf '%b' "$4" > extensions
    openssl req -new -sha256 -key "$1.key" -subj "/O=Redust tests/CN=$2" |
        openssl x509 -req -sha256 -CA "$3.crt" -CAkey "$3.key" -set_serial "$5" -days $days \
            -extfile extensions -out "$1.crt"
    rm extensions
}

authority ca
authority stranger-ca
certificate server localhost ca 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' 0x1001
certificate client alice ca 'subjectAltName=URI:spiffe://test/bob\nextendedKeyUsage=clientAuth\n' 0x1002
certificate stranger alice stranger-ca 'extendedKeyUsage=clientAuth\n' 0x1004
openssl ecparam -name prime256v1 -genkey -noout -out old.key
openssl req -new -sha256 -key old.key -subj "/O=Redust tests/CN=old" |
    openssl x509 -req -sha256 -CA ca.crt -CAkey ca.key -set_serial 0x1003 -days $days -out old.crt
openssl pkcs8 -topk8 -in server.key -passout pass:1234 -out encrypted.key
