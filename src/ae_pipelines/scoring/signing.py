"""Signatures of versions: hashes say that files belong together, a signature says who put them together.

`AE_SIGNING_KEY` names the file of a private Ed25519 key, which signs what is assembled; `AE_VERIFY_KEY` that of its
public half, for machines that only open versions. With either, unsigned versions and those of other keys are refused;
with neither, nothing is signed and everything is opened. Files are PEM, as `new_keys` and openssl write them.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae_pipelines.base import regular_files
from ae_pipelines.base.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNS, VERIFIES = "AE_SIGNING_KEY", "AE_VERIFY_KEY"
"""Environment variables."""
LENGTH = 128
"""Of a signature, in hexadecimal digits."""
LARGEST = 2**14
"""Of a key's file, in bytes."""
PUBLIC = ".pub"
"""What the name of a public key's file ends with, after the private one's."""
SIGNED = b"ae_pipelines version, contract "
"""Stands before the sha256 that is signed, so that a signature says nothing about anything else."""


def signature(sha256: str) -> str | None:
    """The signature of a contract with this sha256, hexadecimal; None where nothing is signed.

    `InputError` if signatures are asked for and there is no key that makes them.
    """
    key = _private()
    if key is None and VERIFIES in os.environ:
        raise InputError(
            f"{VERIFIES} is set, so versions without a signature are refused, but {SIGNS} is not, so none can be made "
            f"here: register where the private key is, or unset {VERIFIES}"
        )
    return None if key is None else key.sign(SIGNED + sha256.encode()).hex()


def refuse_unsigned(sha256: str, signature: str | None, what: str) -> None:
    """`InputError` unless a contract with this sha256 was signed by the key that is asked for, if one is."""
    if (key := _public()) is None:
        return
    from cryptography.exceptions import InvalidSignature

    asked = f"{VERIFIES if VERIFIES in os.environ else SIGNS} is set, so only signed models are opened"
    if signature is None:
        raise InputError(
            f"{what} is not signed, and {asked}: register the models again with the key "
            "and promote that version, or unset it"
        )
    try:
        key.verify(bytes.fromhex(signature.strip()), SIGNED + sha256.encode())
    except (InvalidSignature, ValueError) as error:
        raise InputError(
            f"the signature of {what} is not by this key, and {asked}: it was altered or is somebody else's. Nothing "
            "of it is opened; choose another version, or register the models again"
        ) from error


def check() -> None:
    """`InputError` if a key that is asked for cannot be read, or if the two do not belong together."""
    private, public = _private(), _public()
    if private is not None and public is not None and _raw(private.public_key()) != _raw(public):
        raise InputError(
            f"{VERIFIES} is not the public half of {SIGNS}, so what is signed here would be refused here: give a pair"
        )


def new_keys(path: Path) -> Path:
    """Write a private key to a file that its owner alone can read, and its public half beside it, whose path is given.
    A folder that is not there is made, for its owner alone. `InputError` if there is a key already."""
    from cryptography.hazmat.primitives import serialization as text
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, public = Ed25519PrivateKey.generate(), path.with_name(path.name + PUBLIC)
    if taken := [file for file in (path, public) if os.path.lexists(file)]:  # one half alone is of no use
        raise InputError(f"no key is written to {taken[0]} (File exists): give another path")
    private = key.private_bytes(text.Encoding.PEM, text.PrivateFormat.PKCS8, text.NoEncryption())
    of_public = key.public_key().public_bytes(text.Encoding.PEM, text.PublicFormat.SubjectPublicKeyInfo)
    for file, content, mode in ((path, private, 0o600), (public, of_public, 0o644)):
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except OSError as error:
            raise InputError(f"no key is written to {file} ({error.strerror}): give another path") from error
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
    return public


def _private() -> "Ed25519PrivateKey | None":
    if SIGNS not in os.environ:
        return None
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    def load(content: bytes) -> Any:
        return load_pem_private_key(content, password=None)

    return _loaded(SIGNS, load, Ed25519PrivateKey, "a private")


def _public() -> "Ed25519PublicKey | None":
    """The key that is verified by: where none is named, the public half of that which signs."""
    if VERIFIES not in os.environ:
        private = _private()
        return None if private is None else private.public_key()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return _loaded(VERIFIES, load_pem_public_key, Ed25519PublicKey, "a public")


def _loaded(variable: str, load: Any, kind: type, which: str) -> Any:
    """The key in the file that a variable names; its value and what is in the file are not told: one may be a key."""
    from cryptography.exceptions import UnsupportedAlgorithm

    advice = "`python -m ae_pipelines.tracking key <file>` makes a pair"
    try:
        content = regular_files.content(Path(os.environ[variable]).expanduser(), LARGEST)
    except (OSError, ValueError, RuntimeError):  # among them InputError
        content = None
    if content is None:
        raise InputError(f"{variable}: expected the path of a key's file that can be read, there is none; {advice}")
    try:
        key = load(content)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, kind):
        raise InputError(f"{variable}: the file holds no key, expected {which} Ed25519 key as PEM; {advice}")
    return key


def _raw(key: "Ed25519PublicKey") -> bytes:
    return key.public_bytes_raw()
