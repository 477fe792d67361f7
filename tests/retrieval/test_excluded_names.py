"""Which files ``privacy.exclude`` names by default: those that hold keys and passwords, by the names tools give them."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from devstral_ls.retrieval.visibility import is_excluded
from devstral_ls.settings.tree import PrivacySettings

DEFAULTS = PrivacySettings().exclude


@pytest.mark.parametrize(
    "path",
    [
        ".env", ".env.local", "prod.env", "a/.kube/config", "kubeconfig-prod.yaml", "a/.docker/config.json", ".dockercfg",
        ".ssh/id_rsa", ".ssh/id_ecdsa", ".ssh/id_ecdsa_sk", ".ssh/id_ed25519.pub", ".ssh/id_dsa", "putty.ppk", "AuthKey_1.p8",
        "server.key", "server.pem", "store.jks", "release.keystore", "cert.p12", "cert.pfx", "http.keytab", "my.kdbx", "a.ovpn",
        "prod.tfvars", "prod.auto.tfvars", "prod.tfvars.json", "terraform.tfstate", "terraform.tfstate.backup",
        "k8s/secret.yaml", "k8s/secret-db.yml", "secrets.enc.yaml", "my_secrets.py", ".netrc", "_netrc", ".pgpass", "pgpass.conf",
        ".my.cnf", ".npmrc", ".pypirc", ".htpasswd", ".git-credentials", ".aws/credentials", "credentials.tfrc.json", ".s3cfg",
        ".boto", ".vault-token", "Secret.YAML",
    ],
)  # fmt: skip
def test_files_of_keys_and_passwords_are_excluded(path: str) -> None:
    assert is_excluded(PurePosixPath("/home/me/work") / path, DEFAULTS)


@pytest.mark.parametrize(
    "path",
    [
        "main.py", "environment.ts", "env.py", "config.json", "kube/config.go", "docker/config.json", "package.json", "main.tf",
        "variables.tf", "key.ts", "keys.py", "token.go", "tokenizer.json", "password.tsx", "docker-compose.yml", "values.yaml",
        "id_generator.py", "keystore.go", "Makefile", "README.md", "boto.py", "settings.toml",
    ],
)  # fmt: skip
def test_other_files_are_not(path: str) -> None:
    assert not is_excluded(PurePosixPath("/home/me/work") / path, DEFAULTS)
