"""What a remote engine must pass before it is contacted: its address, the key that is sent, its certificate."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.errors import SettingsError
from devstral_ls.platform.offline import OFFLINE, is_offline

_FORMS = "Set engine.baseUrl to https://HOST[:PORT], http://127.0.0.1:PORT or unix:/PATH."


def checked_address(url: str | None, *, allow_remote: bool, environ: Mapping[str, str] = os.environ) -> str:
    """``url`` as an ``Endpoint.address``, if it may be contacted: loopback and Unix sockets always, other hosts only by
    https and only where the user allowed it. A final ``/v1`` is dropped: the paths of the dialects have it.

    Raises:
        SettingsError: it is no address, or one that must not be contacted. The message never holds the whole URL.
    """
    if not url:
        raise SettingsError("engine.kind is remote, but engine.baseUrl is not set", hint=_FORMS)
    if url.startswith("unix:"):
        path = "/" + url.removeprefix("unix:").lstrip("/")
        return f"unix:{path}"
    try:
        parts = urlsplit(url.strip())
        host, _port = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise SettingsError("engine.baseUrl is not the address of an engine", hint=_FORMS)
    if parts.username is not None or parts.query or parts.fragment:
        raise SettingsError(
            "engine.baseUrl holds more than an address",
            hint="Put a key into an environment variable, and that variable's name into engine.apiKeyEnv.",
        )
    if not is_loopback(host):
        _check_remote(parts.scheme, host, allow_remote=allow_remote, environ=environ)
    path = parts.path.rstrip("/").removesuffix("/v1")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _check_remote(scheme: str, host: str, *, allow_remote: bool, environ: Mapping[str, str]) -> None:
    if not allow_remote:
        raise SettingsError(
            f"{host} is another machine, and your code would be sent to it",
            hint="Set engine.allowRemote to true if that is what you want.",
        )
    if is_offline(environ):
        raise SettingsError(f"{host} is another machine, and {OFFLINE} forbids to contact it", hint=f"Unset {OFFLINE}.")
    if scheme != "https":
        raise SettingsError(
            f"code and key would go to {host} in clear text",
            hint="Use https:// in engine.baseUrl, or a tunnel that ends on 127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8, ::1 and ``localhost``; other spellings of the same are not believed."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def key_of(variable: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """The key in the environment variable of this name; empty where no name is given.

    Raises:
        SettingsError: there is no such variable, or no key in it. The message never holds the value.
    """
    if not variable:
        return ""
    key = environ.get(variable, "").strip()
    if not key:
        raise SettingsError(
            f"the environment variable {variable[:64]}, named by engine.apiKeyEnv, is not set",
            hint="Set it to the key where your editor is started; engine.apiKeyEnv is the variable's name, not the key.",
        )
    if not key.isascii() or not key.isprintable():
        raise SettingsError(f"what the environment variable {variable[:64]} holds cannot be sent as a key")
    return key


def trust(endpoint: Endpoint) -> ssl.SSLContext | None:
    """How the certificate of an https endpoint is verified: always, against the system's authorities (or those that
    ``SSL_CERT_FILE`` names), and those of ``ca_file``. None for other endpoints. Reads files: call it in a thread.

    Raises:
        SettingsError: ``ca_file`` cannot be read.
    """
    if not endpoint.address.startswith("https:"):
        return None
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None and paths.capath is None and not context.cert_store_stats()["x509_ca"]:
        import certifi  # only systems without authorities of their own need it

        context.load_verify_locations(certifi.where())
    if endpoint.ca_file is not None:
        try:
            context.load_verify_locations(os.path.expanduser(endpoint.ca_file))
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"engine.caFile cannot be used: {error.strerror or error}", hint="It is a file of certificates in PEM."
            ) from error
    return context
