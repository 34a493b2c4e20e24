"""Signed receipts of guarded answers, and their verification; needs the extra `receipts`.

A receipt names the policy that judged an answer, counts the findings by action, and has digests of
the request and of the released answer. It is a JSON Web Signature (RFC 7515) with Ed25519 (RFC
8037): anyone with the public key can check it, with `verify` or another library.
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
