"""Secrets of 60 formats, made up, and look-alikes that are none. Put together at run time: no scanner is to find any."""

from __future__ import annotations

import base64
import hashlib
import random
import string

_random = random.Random(7)
HEX, ALNUM, UPPER32 = "0123456789abcdef", string.ascii_letters + string.digits, string.ascii_uppercase + "234567"


def some(n: int, alphabet: str = ALNUM) -> str:
    return "".join(_random.choice(alphabet) for _ in range(n))


def _jwt() -> str:
    part = base64.urlsafe_b64encode
    head, body = part(b'{"alg":"HS256","typ":"JWT"}'), part(b'{"sub":"1234567890","name":"A. Person"}')
    return f"{head.decode().rstrip('=')}.{body.decode().rstrip('=')}.{some(43)}"


def _pem() -> str:
    return "\n".join(some(64) for _ in range(4))


SECRETS: dict[str, tuple[str, str]] = {
    # name: (code with {} where the secret is, the secret)
    "aws id": ("key = '{}'", "AKI" + "A" + some(16, UPPER32)),
    "aws session id": ("id: {}", "ASI" + "A" + some(16, UPPER32)),
    "aws secret": ("aws_secret_access_key = \"{}\"", some(40, ALNUM + "/+")),
    "aws secret in a shell": ("export AWS_SECRET_ACCESS_KEY={}", some(40)),
    "github": ("t = '{}'", "gh" + "p_" + some(36)),
    "github oauth": ("t = '{}'", "gh" + "o_" + some(36)),
    "github server": ("git clone https://x:{}@github.com/a/b", "gh" + "s_" + some(36)),
    "github fine-grained": ("t = '{}'", "github" + "_pat_" + some(22) + "_" + some(59)),
    "gitlab": ("t = '{}'", "gl" + "pat-" + some(20)),
    "gitlab deploy": ("t = '{}'", "gl" + "dt-" + some(20)),
    "slack bot": ("c = C('{}')", "xox" + "b-" + some(12, "123456789") + "-" + some(12, "123456789") + "-" + some(24)),
    "slack user": ("c = C('{}')", "xox" + "p-" + some(11, "123456789") + "-" + some(24)),
    "slack hook": ("u = '{}'", "https://hooks.sl" + "ack.com/services/T" + some(8) + "/B" + some(8) + "/" + some(24)),
    "stripe": ("s = '{}'", "sk" + "_live_" + some(24)),
    "stripe restricted": ("s = '{}'", "rk" + "_live_" + some(24)),
    "stripe hook": ("s = '{}'", "wh" + "sec_" + some(32)),
    "openai": ("k = '{}'", "s" + "k-" + some(48)),
    "openai project": ("k = '{}'", "s" + "k-proj-" + some(60)),
    "anthropic": ("k = '{}'", "s" + "k-ant-api03-" + some(80)),
    "google": ("k = '{}'", "AI" + "za" + some(35)),
    "google oauth": ("k = '{}'", "GOC" + "SPX-" + some(28)),
    "google access": ("k = '{}'", "ya" + "29." + some(60)),
    "npm": ("//registry/:_authToken={}", "np" + "m_" + some(36)),
    "pypi": ("password: {}", "py" + "pi-AgEI" + some(80)),
    "docker": ("t = '{}'", "dckr" + "_pat_" + some(27)),
    "hugging face": ("t = '{}'", "h" + "f_" + some(34)),
    "replicate": ("t = '{}'", "r" + "8_" + some(37)),
    "groq": ("t = '{}'", "gs" + "k_" + some(52)),
    "sendgrid": ("t = '{}'", "S" + "G." + some(22) + "." + some(43)),
    "mailgun": ("t = '{}'", "ke" + "y-" + some(32, HEX)),
    "mailchimp": ("t = '{}'", some(32, HEX) + "-us" + "12"),
    "twilio": ("t = '{}'", "S" + "K" + some(32, HEX)),
    "digital ocean": ("t = '{}'", "do" + "p_v1_" + some(64, HEX)),
    "databricks": ("t = '{}'", "da" + "pi" + some(32, HEX)),
    "square": ("t = '{}'", "sq0" + "atp-" + some(22)),
    "shopify": ("t = '{}'", "shp" + "at_" + some(32, HEX)),
    "linear": ("t = '{}'", "lin" + "_api_" + some(40)),
    "notion": ("t = '{}'", "secr" + "et_" + some(43)),
    "new relic": ("t = '{}'", "NR" + "AK-" + some(27, string.ascii_uppercase + string.digits)),
    "grafana": ("t = '{}'", "gl" + "sa_" + some(32) + "_" + some(8, HEX)),
    "vault": ("t = '{}'", "hv" + "s." + some(90)),
    "terraform": ("t = '{}'", some(14) + ".atlas" + "v1." + some(67)),
    "pulumi": ("t = '{}'", "pu" + "l-" + some(40, HEX)),
    "doppler": ("t = '{}'", "dp" + ".pt." + some(43)),
    "postman": ("t = '{}'", "PM" + "AK-" + some(24, HEX) + "-" + some(34, HEX)),
    "rubygems": ("t = '{}'", "ruby" + "gems_" + some(48, HEX)),
    "sentry": ("t = '{}'", "snt" + "rys_" + some(60)),
    "figma": ("t = '{}'", "fi" + "gd_" + some(40)),
    "airtable": ("t = '{}'", "pa" + "t" + some(14) + "." + some(64, HEX)),
    "age": ("# {}", "AGE-SECRET" + "-KEY-1" + some(58, string.ascii_uppercase + "023456789")),
    "atlassian": ("t = '{}'", "ATA" + "TT3" + some(180)),
    "supabase": ("t = '{}'", "sb" + "p_" + some(40, HEX)),
    "telegram": ("t = '{}'", some(10, "123456789") + ":A" + "A" + some(33)),
    "discord": ("t = '{}'", "M" + some(23) + "." + some(6) + "." + some(38)),
    "jwt": ("h = {'a': '{}'}", _jwt()),
    "bearer": ("-H 'Authorization: Bearer {}'", some(40)),
    "azure": ("c = 'AccountName=a;AccountKey={};'", some(86) + "=="),
    "rsa": ("k = '''-----BEGIN RSA PRIV" + "ATE KEY-----\n{}\n-----END RSA PRIV" + "ATE KEY-----'''", _pem()),
    "password in an address": ("u = 'postgres://app:{}@db.example.org/x'", some(14)),
    "password": ("db_password = '{}'", some(8) + "!" + some(6)),
    "api key": ("apiKey: \"{}\",", some(32)),
    "token in json": ("  \"auth_token\": \"{}\"", some(32, HEX)),
    "secret of a framework": ("SECRET_KEY = 'django-{}'", some(50, ALNUM + "#&*(")),
    "client secret": ("client_secret=\"{}\"", some(36)),
}  # fmt: skip


def _look_alikes() -> list[str]:
    words = [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "omega",
        "north",
        "south",
        "east",
        "west",
        "river",
        "stone",
        "cloud",
        "paper",
        "glass",
        "iron",
    ]
    made = [
        *(f'commit = "{hashlib.sha1(word.encode()).hexdigest()}"' for word in words),
        *(f"sha256:{hashlib.sha256(word.encode()).hexdigest()}" for word in words),
        *(f'integrity="sha512-{base64.b64encode(hashlib.sha512(word.encode()).digest()).decode()}"' for word in words),
        *(f'md5 = "{hashlib.md5(word.encode(), usedforsecurity=False).hexdigest()}"' for word in words),
        *(f'password = "{word}"' for word in words[:5]),
        *(f"user_id = '{some(8, HEX)}-{some(4, HEX)}-4{some(3, HEX)}-a{some(3, HEX)}-{some(12, HEX)}'" for _ in words),
        *(f"color: #{some(6, HEX)};" for _ in words),
        *(f"const {word}Token = get{word.title()}Token(request.headers)" for word in words),
        *(f"{word}_password = os.environ['{word.upper()}_PASSWORD']" for word in words),
        *(f'{word.upper()}_TOKEN=${{{word.upper()}_TOKEN}}' for word in words),
        *(f'img = "data:image/png;base64,{base64.b64encode(word.encode() * 9).decode()}"' for word in words),
    ]  # fmt: skip
    return [*made, *_BY_HAND]


_BY_HAND = [
    'password = "your-password-here"', 'api_key = "YOUR_API_KEY"', 'token = "<token>"', 'secret = "changeme"',
    'password = "********"', 'apiKey: "xxxxxxxxxxxxxxxxxxxx"', 'API_KEY = "${API_KEY}"', 'token: "{{ token }}"',
    'password = getpass.getpass("Password: ")', 'token = tokenizer.next_token()', 'max_tokens = 4096', 'TOKEN_LIMIT = 100000',
    'def check_password(password: str) -> bool:', 'if token == "identifier":', 'tokens = ["alpha", "beta", "gamma"]',
    'secret_name = "projects/my-project/secrets/db-password"', 'password_field = "input[name=password]"',
    'label: "Forgot your password?"', 'PASSWORD_HASHERS = "django.contrib.auth.hashers"', 'token_type = "access_token"',
    'url = "postgres://user:password@localhost/db"', 'url = f"postgres://{user}:{password}@{host}/db"',
    'url = "https://user:${TOKEN}@example.org"', 'password: str = "hunter"', 'headers = {"Authorization": f"Bearer {token}"}',
    'token = "test-token"', 'secret_key = "test_secret"', 'token = "dummy-token-for-tests"', 'key = "primary_key"',
    'api_key_header = "X-Api-Key"', 'CSRF_TOKEN_NAME = "csrfmiddlewaretoken"', 'password_reset_url = "/accounts/password/reset/"',
    'const secret = require("./secret")', 'tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount/token"',
    'passwordFile = "/run/secrets/db_password.txt"', '"token": "string"', '"password": "required|min:8"',
    'ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 'AKIAXXXXXXXXXXXXXXXX', 'sk_test_xxxxxxxxxxxxxxxxxxxxxxxx',
    'task-list-for-the-next-release-of-the-engine', 'desk-organizer-with-a-very-long-name', 'risk_live_assessment_results_table',
    'disk-usage-analyzer-configuration-file', 'mask-rcnn-resnet-fpn-backbone-v2', 'class SK8TrickGenerator: pass',
    'ACCESS_TOKEN_EXPIRE_MINUTES = 30', 'access_token_url = "https://example.org/oauth/token"',
]  # fmt: skip

LOOK_ALIKES = _look_alikes()[:250]
