"""One receipt: its claims, its signature, and how an answer is checked against it."""

from __future__ import annotations

import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from importlib import import_module
from itertools import count
from time import time
from typing import Any, NamedTuple

import regex

from guardstream.errors import GuardstreamError
from guardstream.stream.observers import StreamRecord

TYPE = "guardstream-receipt+jwt"
"""The type in the header of the signature; a token of another type is not a receipt."""

CHECKPOINT = "guardstream-checkpoint+jwt"
"""The type of tokens about an audit log."""

HEADER = b"guardstream-receipt"
"""The header with the receipt of a whole answer; in an event stream a comment begins with it."""

NONCE = b"guardstream-nonce"
"""A request's header; the receipt repeats its value, so that an old receipt cannot be replayed."""

_BEGINNING = b": %b " % HEADER
_EVENT_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")
_BETWEEN = rb"(?:\A|%b)" % b"|".join(b"(?<=%b)" % end for end in _EVENT_ENDS)
BETWEEN = re.compile(_BETWEEN)
"""A position between the events of a stream, at its beginning, or at its end."""

_COMMENT = re.compile(_BETWEEN + _BEGINNING + rb"([\w.-]+)\n\n")
"""The comment with the receipt, between events; inside an event it would be the application's."""
END = regex.compile(rb"(?:id: [^\r\n]{0,1024}\r?\n)?data: ?\[DONE\](?:\n\n|\r\n\r\n)")
"""The event that ends a stream, with its id if it has one; an event with more content is not
one. The receipt is before it."""

_UNFINISHED = re.compile(_BEGINNING + rb"[\w.-]+\n?")
_MAX = 16_384
"""The maximum bytes of a receipt."""

_AHEAD = 60
"""By how many seconds the signer's clock may be ahead."""

_PEM = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----\s*", re.DOTALL)


class ReceiptError(GuardstreamError):
    """A receipt is invalid, or does not match the answer; the message says how."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The claims of a receipt.

    - `policy`, `fingerprint`, `shadow`: the policy that judged, and whether it only reported.
    - `finish`: how the answer ended; `findings`: how often each action was taken.
    - `request`, `answer`: SHA-256 of the received and of the released bytes, in hexadecimal;
      `size`: the answer's length in bytes.
    - `nonce`: the value of the request's nonce header, or else a random one. `issued`: seconds
      since 1970.
    - `issuer`, `number`: the signer, and how many answers it had signed before, since it started.
    """

    policy: str
    fingerprint: str
    shadow: bool
    finish: str
    findings: Mapping[str, int]
    request: str
    answer: str
    size: int
    nonce: str
    issued: float
    issuer: str
    number: int


class _Series(NamedTuple):
    """The series of one process: its issuer, and the numbers of its receipts."""

    process: int
    issuer: str
    numbers: Iterator[int]

    @classmethod
    def begun(cls, name: str) -> _Series:
        return cls(os.getpid(), f"{name}/{secrets.token_hex(4)}", count())


class Signer:
    """Signs receipts with an Ed25519 key in PEM (PKCS #8), in the name of `issuer`.

    Raises ReceiptError for a key of another kind, and if PyJWT or `cryptography` is not installed.
    """

    def __init__(self, key: str | bytes, issuer: str = "guardstream") -> None:
        self._jwt, serialization = _libraries()
        data = key.encode() if isinstance(key, str) else key
        try:
            self._key = serialization.load_pem_private_key(data, None)
        except (ValueError, TypeError) as error:
            raise ReceiptError("the key is not a private key in PEM without a password") from error
        _check_kind(self._key, "Ed25519PrivateKey")
        self._name = issuer
        self._series = _Series.begun(issuer)

    @property
    def issuer(self) -> str:
        """The issuer: the given name, and an id of this process."""
        return self._own().issuer

    def _own(self) -> _Series:
        """Return this process's series. A forked process begins a new one.

        If two threads find that at the same time, each begins one, and the numbers of both are
        correct.
        """
        series = self._series
        if series.process != os.getpid():
            series = self._series = _Series.begun(self._name)
        return series

    @property
    def public_key(self) -> str:
        """The public key in PEM, for verification."""
        _, serialization = _libraries()
        data: bytes = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return data.decode()

    def checkpoint(self, claims: Mapping[str, Any]) -> str:
        """Return a token about an audit log: for `AuditLog(sign=signer.checkpoint)`."""
        return self._token(self.issuer, claims, CHECKPOINT)

    def _token(self, issuer: str, claims: Mapping[str, Any], kind: str) -> str:
        """Return signed claims, with the issuer and the time."""
        payload = {"iss": issuer, "iat": int(time()), **claims}
        made: str = self._jwt.encode(payload, self._key, algorithm="EdDSA", headers={"typ": kind})
        return made

    def sign(
        self,
        records: Sequence[StreamRecord],
        *,
        request: str,
        answer: str,
        size: int,
        nonce: str | None = None,
        policy: tuple[str, str] = ("", ""),
    ) -> str:
        """Return the receipt of an answer.

        `records` are those of its streams; `policy` is the policy's name and fingerprint if there
        are no records, as for a refused request. `request` and `answer` are the SHA-256 digests of
        their bodies, in hexadecimal; `size` is the answer's length in bytes. `nonce` is that of the
        request.
        """
        series = self._own()
        counted = Counter(found.action for record in records for found in record.findings)
        last = records[-1] if records else None
        start = last.start if last else None
        claims = {
            "jti": nonce or secrets.token_urlsafe(16),
            "n": next(series.numbers),
            "policy": start.policy if start else policy[0],
            "fingerprint": start.fingerprint if start else policy[1],
            "shadow": start.shadow if start else False,
            "finish": last.finish if last else "none",
            "findings": dict(counted),
            "request": request,
            "answer": answer,
            "size": size,
        }
        return self._token(series.issuer, claims, TYPE)


def verify(
    receipt: str | bytes,
    answer: bytes,
    key: str | bytes,
    *,
    request: bytes | None = None,
    nonce: str | None = None,
    max_age: float | None = None,
) -> Receipt:
    """Verify a receipt against the bytes of an answer; return its claims.

    - `key`: the signer's public key in PEM, from a source that you trust. A key that comes with a
      receipt proves nothing. It may be several keys, one after the other: the old and the new one.
    - `answer`: the bytes as received. In an event stream, the comment with this receipt at its end
      is left out.
    - `request`: the bytes of the request's body, if they are to be verified, too.
    - `nonce`: the nonce of the request. Without it, an old answer to the same request passes with
      its receipt.
    - `max_age`: the maximum seconds since it was signed.

    Raises ReceiptError, which says what differs.
    """
    claims = _receipt(token_of(receipt, key, TYPE, "receipt"))
    age = time() - claims.issued
    if age < -_AHEAD:
        raise ReceiptError(
            f"the receipt was signed {-age:.0f} seconds in the future: set the clock"
        )
    if max_age is not None and age > max_age:
        raise ReceiptError(f"the receipt is older than {max_age:g} seconds")
    if nonce is not None and not compare_digest(claims.nonce.encode(), nonce.encode()):
        raise ReceiptError("the receipt is for another request: its nonce differs")
    if request is not None and not compare_digest(claims.request, digest(request)):
        raise ReceiptError("the receipt is for another request: the digest of its body differs")
    released = _released(answer, receipt)
    if len(released) != claims.size:
        raise ReceiptError(f"the answer has {len(released)} bytes, the receipt says {claims.size}")
    if not compare_digest(claims.answer, digest(released)):
        raise ReceiptError("the answer was changed: its digest differs from the receipt's")
    return claims


def found_in(answer: bytes) -> str:
    """Return the receipt in an event stream. ReceiptError if there is none, or several."""
    found = _COMMENT.findall(answer)
    if len(found) != 1:
        missing = (
            f"the answer has no receipt; a whole answer has it in the header {HEADER.decode()}"
        )
        raise ReceiptError(f"the answer has {len(found)} receipts" if found else missing)
    receipt: bytes = found[0]
    return receipt.decode()


def comment(receipt: str) -> bytes:
    """Return a receipt as a comment in an event stream."""
    return _BEGINNING + receipt.encode() + b"\n\n"


def without_receipt(answer: bytes) -> bytes:
    """Return the bytes of an answer without comments with receipts, such as an upstream's."""
    return _COMMENT.sub(b"", answer)


def _released(answer: bytes, receipt: str | bytes) -> bytes:
    """Return the bytes of an answer without the comment that has this receipt, if it is where a
    signer writes it. Any other comment has to be signed with the answer."""
    own = comment(receipt.decode() if isinstance(receipt, bytes) else receipt)
    start = answer.rfind(own)
    if start < 0 or not BETWEEN.match(answer, start):
        return answer
    rest = answer[start + len(own) :]
    ends = END.fullmatch(rest[: unfinished(rest)], partial=True)  # a stream may have been cut
    return answer[:start] + rest if ends else answer


def unfinished(answer: bytes) -> int:
    """Return the start of a receipt that may continue after the bytes; their length if there is
    none."""
    ends = [answer.rfind(end) + len(end) for end in _EVENT_ENDS if end in answer]
    start = max(ends, default=0)
    rest = answer[start:]
    begins = _BEGINNING.startswith(rest) or _UNFINISHED.fullmatch(rest)
    return start if begins else len(answer)


def digest(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return sha256(data).hexdigest()


def public_keys_of(key: str | bytes) -> list[Any]:
    """Return the public keys in a PEM, of which there may be several. ReceiptError for any other
    key, and if PyJWT or `cryptography` is not installed."""
    _, serialization = _libraries()
    text = key if isinstance(key, str) else key.decode("latin-1")
    try:
        found = [
            serialization.load_pem_public_key(each.encode("latin-1"))
            for each in _PEM.findall(text) or [text]
        ]
    except ValueError as error:
        raise ReceiptError("the key is not a public key in PEM") from error
    for each in found:
        _check_kind(each, "Ed25519PublicKey")
    return found


def token_of(token: str | bytes, key: str | bytes, kind: str, name: str) -> Mapping[str, Any]:
    """Return the claims of a token signed with `key`, or with one of several. ReceiptError for any
    other token."""
    keys = public_keys_of(key)
    jwt, _ = _libraries()
    if len(token) > _MAX:
        raise ReceiptError(f"the {name} is too long")
    if not token.isascii():
        raise ReceiptError(f"the {name} cannot be read")
    try:
        if jwt.get_unverified_header(token).get("typ") != kind:
            raise ReceiptError(f"the token is not a {name}")
    except jwt.PyJWTError as error:
        raise ReceiptError(f"the {name} cannot be read") from error
    for public in keys:
        try:
            return _claims(token, public)
        except jwt.InvalidSignatureError:
            continue
        except jwt.PyJWTError as error:
            raise ReceiptError(f"the {name} cannot be read") from error
    raise ReceiptError(f"the {name} was changed, or signed with another key")


def _claims(token: str | bytes, public: Any) -> Mapping[str, Any]:
    """Return the claims of a token signed with a key. The caller checks its time, if that
    matters."""
    jwt, _ = _libraries()
    claims: Mapping[str, Any] = jwt.decode(
        token,
        public,
        algorithms=["EdDSA"],
        options={"require": ["iss", "iat"], "verify_aud": False, "verify_iat": False},
        leeway=_AHEAD,
    )
    return claims


def _receipt(claims: Mapping[str, Any]) -> Receipt:
    try:
        return Receipt(
            policy=str(claims["policy"]),
            fingerprint=str(claims["fingerprint"]),
            shadow=bool(claims["shadow"]),
            finish=str(claims["finish"]),
            findings={str(action): int(count) for action, count in claims["findings"].items()},
            request=str(claims["request"]),
            answer=str(claims["answer"]),
            size=int(claims["size"]),
            nonce=str(claims["jti"]),
            issued=float(claims["iat"]),
            issuer=str(claims["iss"]),
            number=int(claims["n"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReceiptError("the receipt lacks a claim") from error


def _check_kind(key: Any, kind: str) -> None:
    ed25519 = import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    if not isinstance(key, getattr(ed25519, kind)):
        raise ReceiptError("the key is not an Ed25519 key")


def _libraries() -> tuple[Any, Any]:
    try:
        return (
            import_module("jwt"),
            import_module("cryptography.hazmat.primitives.serialization"),
        )
    except ImportError as error:
        raise ReceiptError(
            "receipts need PyJWT and cryptography: pip install 'guardstream[receipts]'"
        ) from error
