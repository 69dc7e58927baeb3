"""Checks the assertion Postern sends with each request. Needs PyJWT 2.6 or newer:
pip install 'PyJWT[crypto]', or Debian's python3-jwt and python3-cryptography.

As a program: verify.py GATEWAY ISSUER AUDIENCE reads assertions from stdin, one a line.
"""

import sys

import jwt


def postern(gateway):
    """Fetched when first needed, kept, and fetched again for a key that is not in it. Make it once."""
    return jwt.PyJWKClient(gateway + "/_postern/jwks.json")


def verify(assertion, keys, issuer, audience):
    """Raises jwt.PyJWTError if it is forged, old, or meant for another service. Then answer 401."""
    key = keys.get_signing_key_from_jwt(assertion)
    claims = jwt.decode(
        assertion,
        key.key,
        algorithms=["EdDSA"],
        issuer=issuer,
        audience=audience,
        leeway=5,
        options={"require": ["iss", "aud", "sub", "iat", "exp"]},
    )
    return claims["sub"], claims["scope"].split()


if __name__ == "__main__":
    gateway, issuer, audience = sys.argv[1:]
    keys = postern(gateway)
    for line in sys.stdin:
        try:
            token_id, scopes = verify(line.strip(), keys, issuer, audience)
            print("accepted", token_id, *scopes)
        except jwt.PyJWTError:
            print("refused")
