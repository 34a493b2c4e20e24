"""Receipts: what a guard has signed about an answer, for whoever asks later. Extra `receipts`.

A receipt says which policy judged an answer, how it ended and what was found, and holds digests of
the request and of the answer as it was released. It is a JSON Web Signature (RFC 7515) by Ed25519
(RFC 8037): whoever has the public key can check it, with `verify` or another library.
"""

from guardstream.receipts.audit import Audited, verify_audit
from guardstream.receipts.receipt import (
    Receipt,
    ReceiptError,
    Signer,
    found_in,
    verify,
)

__all__ = ["Audited", "Receipt", "ReceiptError", "Signer", "found_in", "verify", "verify_audit"]
