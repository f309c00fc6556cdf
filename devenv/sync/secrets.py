"""Files that look like secrets: by their names, and where a name says little by how their first bytes read.

A look, not a proof: a person is asked before such a file travels. Example files (`.env.example`) are none.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence

from devenv.runs.project_file import read_regular

MOST_LOOKED_AT = 16 << 10  # bytes of a file; a key is not larger
_EXAMPLE = re.compile(r".*[.\-_](example|sample|template|dist|defaults?)(\.[a-z]+)?\Z", re.IGNORECASE)
_DATA = r"(\.(json|csv|ya?ml|toml|ini|xml|txt|conf|cfg|bak|old|enc|env|properties))?"

_FOLDERS = {
    ".aws": "credentials of AWS", ".azure": "credentials of Azure", ".gcloud": "credentials of Google Cloud",
    ".gnupg": "keys of GnuPG", ".kube": "credentials of Kubernetes", ".ssh": "keys of SSH",
}  # fmt: skip

_NAMES: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(rf"(?:{pattern})\Z", re.IGNORECASE), why)
    for pattern, why in (
        (r"\.env(\..+)?|.+\.env|\.envrc", "variables that are often secret"),
        (r"id_(rsa|dsa|ecdsa|ed25519|ecdsa_sk|ed25519_sk)", "a key of SSH"),
        (r".+\.(ppk|p12|pfx|jks|keystore|kdbx)", "a store of keys"),
        (rf"(aws[-_]?)?credentials[^.]*{_DATA}", "credentials"),
        (rf"secrets?{_DATA}|client_?secret.*\.json", "secrets"),
        (r"service[-_]?account.*\.json|application_default_credentials\.json", "a service account"),
        (r"\.netrc|_netrc|\.pgpass|\.my\.cnf|\.git-credentials|\.htpasswd|\.dockercfg", "passwords"),
        (r"kaggle\.json|\.vault-token", "a token"),
        (r".+\.tfstate(\.backup)?", "a state of Terraform, which holds secrets"),
    )
]
_ANY = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in _NAMES), re.IGNORECASE)
_KEY = re.compile(r".+\.(pem|key)\Z", re.IGNORECASE)
_MAYBE = re.compile(r"([^.]+|.+\.(json|txt|crt|cer|asc|bak|old|conf)|\.npmrc|\.pypirc)\Z", re.IGNORECASE)
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File")
_SERVICE_ACCOUNT = re.compile(rb'"type"\s*:\s*"service_account"')
_TOKEN = re.compile(rb"^\s*(?:\S*_(?:authToken|auth|password)|password)\s*[=:]", re.MULTILINE)


def of_folder(name: str) -> str:
    """Why a folder looks like one of secrets; "" when it does not."""
    return _FOLDERS.get(name, "")


def of_name(name: str) -> str:
    """Why a file looks like a secret by its name alone; "" when it does not."""
    if not _ANY.match(name) or _EXAMPLE.match(name):
        return ""
    return next((why for pattern, why in _NAMES if pattern.match(name)), "")


def to_look_into(name: str, size: int) -> bool:
    """Whether its name leaves open what it is."""
    return 0 < size <= MOST_LOOKED_AT and (_MAYBE.match(name) or _KEY.match(name)) is not None


def of_content(path: pathlib.Path) -> str:
    """Why one `to_look_into` looks like a secret by what is in it; "" when it does not, or cannot be read. Blocks."""
    data = read_regular(str(path), MOST_LOOKED_AT) or b""
    if _PRIVATE_KEY.search(data):
        return "a private key"
    if _SERVICE_ACCOUNT.search(data):
        return "a service account"
    if path.name in (".npmrc", ".pypirc"):
        return "a token" if _TOKEN.search(data) else ""
    return "a key, by its name" if data and _KEY.match(path.name) and b"-----BEGIN " not in data else ""
