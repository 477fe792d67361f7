"""400 ordinary lines of ten languages, of configuration and of lock files: none holds a secret, most look as if.

Every second line was used to tune the rules, the others were not looked at before the rules stood.
"""

from __future__ import annotations

import base64
import hashlib
import random
import uuid

_random = random.Random(23)

_PYTHON = r"""
MAX_TOKENS = 1234567890
tokenizer = "cl100k_base"
model = hf_ModelForConditionalGenerationWithHeads.load(path)
password = input("Password: ")
password: str
token = tokens[i]
def test_password_is_refused_after_3_tries(self) -> None:
    self.token = token2
secret = get_secret("prod/db-1/password")
token = self._tokens.pop(0)
PASSWORD_MIN_LENGTH = 8
token_type = "Bearer"
key = f"user:{user_id}:v2"
cache_key = "products_list_page_1"
primary_key = "customer_id_2"
parser.add_argument("--token", default=None, help="access token of the hub")
password = os.environ["DB_PASSWORD_1"]
if token.type == Token.STRING2:
    raise ValueError("wrong user name or password")
SECRET_NAME = "projects/shop/secrets/db-password-v2"
eos_token = "<|endoftext|>"
pad_token_id: int = 151643
keys = ["alpha1", "beta2", "gamma3"]
token = re.compile(r"[A-Za-z0-9_]{20,}")
author = "jane.doe42"
api_key = settings.api_key2
csrf_token = request.META.get("HTTP_X_CSRFTOKEN")
password_hash = sha256(password.encode()).hexdigest()
assert tokens == [1, 2, 3, 4, 5, 6, 7, 8]
auth = HTTPBasicAuth(user, password1)
"password": "This field is required.",
monkeypatch.setenv("API_KEY", "test")
token: Optional[Token3] = None
return {"token": token, "expires_in": 3600}
bypass = "level3-bypass-of-the-cache"
keyboard = "qwerty105"
sort_key = lambda item: (item.rank2, item.name)
class PasswordResetTokenGenerator2(TokenGenerator):
"""

_JAVASCRIPT = r"""
const token = await getToken2(request.headers);
const [password, setPassword] = useState("");
password: yup.string().min(8).required(),
export const TOKEN_KEY = "auth_token";
localStorage.setItem("token", response.data.token);
const key = `${prefix}:${id}:v2`;
<li key={item.id2} className="row">
const apiKey = process.env.API_KEY_2;
const secret = require("./secret2");
headers: { Authorization: `Bearer ${token}` },
if (password !== confirmPassword2) return;
"forgotPassword": "Forgot your password?",
passwordPlaceholder: "At least 8 characters",
const passwordRegex = /^(?=.*[a-z])(?=.*\d)[a-zA-Z\d]{8,}$/;
this.tokens = new Map();
const tokenUrl = "https://example.org/oauth2/v1/token";
expect(getByLabelText("Password2")).toBeVisible();
<input type="password" id="password1" name="password" autocomplete="current-password" />
it("rejects a token of 32 characters", () => {
const publicKey = await importKey("raw2", bytes);
keyCode: 13, key: "Enter",
import { tokenize2 } from "./tokenizer";
case "PASSWORD_RESET_V2":
const { accessToken, refreshToken } = session2;
token: this.config.tokens[0],
const cacheKey = "query_v2_users";
type: "password",
passport.use(new LocalStrategy({ usernameField: "email1" }));
const keyframes = "slide-in-2s";
export type Token = { kind: TokenKind2; value: string };
document.cookie = "theme=dark2; path=/";
data-test-id="password-field-2"
  secretOrKey: configService.get("JWT_SECRET_V2"),
const credentials = "same-origin";
const passes = 3, passed = "12 of 14";
process.env.NODE_AUTH = undefined;
"""

_TYPESCRIPT = r"""
  password: string;
  token?: string | undefined;
  readonly apiKey: Uint8Array;
export const API_KEY_HEADER = "x-api-key";
constructor(private readonly tokenService2: TokenService) {}
  accessToken: Observable<string>;
const SECRET_LENGTH: number = 32;
@Column({ name: "password_hash", length: 255 })
  async login(user: string, password: string): Promise<Token2> {
enum TokenType { ACCESS = "access_token", REFRESH = "refresh_token" }
  key: keyof Options2;
interface Credentials { user: string; password: string }
  passwordStrength: "weak" | "medium1" | "strong2";
const token = tokens.find((t) => t.id === id2);
this.form = fb.group({ password: ["", Validators.minLength(8)] });
  secretKeyRef: { name: "db2", key: "password" },
export class AuthGuard2 implements CanActivate {}
const keyOf = <T extends object>(o: T) => Object.keys(o) as (keyof T)[];
export const INJECTION_TOKEN = new InjectionToken<Config2>("config2");
  private tokenExpiresAt = Date.now() + 3600 * 1000;
  "auth/wrong-password": "The password is invalid.",
  tokenName: "XSRF-TOKEN",
const passphraseWords = 12;
  PASSWORD = "PASSWORD", OTP2 = "OTP2",
"""

_JAVA = r"""
private String password;
public void setPassword(String password1) { this.password = password1; }
@Value("${spring.datasource.password}") private String password;
String token = tokenizer.nextToken();
private static final String TOKEN_PREFIX = "Bearer ";
public static final String KEY_USER_ID = "user_id2";
if (token.equals(Token.EOF2)) break;
Key key = Keys.hmacShaKeyFor(bytes);
private final PasswordEncoder passwordEncoder2;
SecretKeySpec secret = new SecretKeySpec(raw, "AES256");
map.put("key1", "value1");
intent.putExtra("token_id", tokenId);
@NotBlank(message = "password must have 8 characters")
String url = "jdbc:postgresql://localhost:5432/shop?user=app";
char[] password = console.readPassword("Password: ");
private static final String ALGORITHM = "PBKDF2WithHmacSHA256";
log.info("token expired at {}", expiresAt2);
KeyStore keyStore = KeyStore.getInstance("PKCS12");
tokens.add(new Token(TokenType.NUMBER, "12345678"));
private int maxTokens = 4096;
String secretName = "shop-db-2";
assertThat(password).isEqualTo(other.getPassword2());
private static final int PASSWORD_ITERATIONS = 65536;
public PasswordAuthentication getPasswordAuthentication2() {
@Column(name = "api_key_hash", length = 64)
throw new BadCredentialsException("Invalid user name or password1");
String authority = "ROLE_ADMIN2";
case PASSWORD_EXPIRED: return 4012;
"""

_GO = r"""
token := tokens[i+1]
password := os.Getenv("DB_PASSWORD_2")
type Token struct { Kind Kind2; Value string }
Password string `json:"password" validate:"min=8"`
key := fmt.Sprintf("user:%d:v2", id)
if err := bcrypt.CompareHashAndPassword(hash2, []byte(password)); err != nil {
tok, err := p.expect(token.IDENT2)
const tokenURL = "https://example.org/oauth2/v3/token"
secret, err := client.Secrets2(ns).Get(ctx, name)
return "", errors.New("token has expired 2 hours ago")
privateKey, err := rsa.GenerateKey(rand.Reader, 2048)
func (s *Server) authToken2(w http.ResponseWriter, r *http.Request) {
flag.StringVar(&apiKey, "api-key", "", "key of the service")
case token.INT, token.FLOAT64:
keys := make([]string, 0, 16)
ctx = context.WithValue(ctx, authKey2, user)
cacheKey := "sessions-v2"
var passwordRe = regexp.MustCompile(`^[a-z0-9]{8,64}$`)
r.Header.Get("X-Auth-Token-2")
const maxTokenLen = 4096
password: password1,
PasswordHash []byte `db:"password_hash2"`
tokenSource := oauth2.StaticTokenSource(t)
keyPair, err := tls.LoadX509KeyPair("a.crt", "a2.key")
"""

_RUST = r"""
let token = self.tokens[self.position2].clone();
pub password: Option<String>,
Token::Number(12345678) => 1,
const KEY_LEN: usize = 32;
let key = format!("{prefix}:{id2}");
let secret = env::var("APP_SECRET_2")?;
impl TokenStream2 for Lexer {}
pub fn with_token(mut self, token: Token2) -> Self {
let password = rpassword::prompt_password("Password: ")?;
fn parses_a_token_of_64_characters() {
let api_key: &str = &args.api_key2;
#[serde(rename = "accessToken2")]
pub struct Credentials2<'a> { user: &'a str, password: &'a str }
return Err(Error::new("no password for user2"));
static KEYWORDS: &[&str] = &["fn", "let", "u64", "i128"];
let private_key = SigningKey::generate(&mut csprng2);
match token { TokenKind::Ident2 => (), _ => () }
const TOKEN_TTL: Duration = Duration::from_secs(86400);
let mut tokens = quote::quote! { #ident2 };
pub password_file: PathBuf,
assert_eq!(token.span, 10..24);
key: K2, value: V2,
let auth = Auth::basic(user2, password2);
#[arg(long, env = "TOKEN_FILE_2")]
"""

_C_CPP = r"""
char password[MAX_PASSWORD_LEN2];
std::string token = next_token2(stream);
static const struct token_t tokens[] = { { "if", T_IF2 } };
#define TOKEN_MAX_LENGTH 256
#define KEY_F12 0x58
enum token_kind { TOKEN_EOF = 0, TOKEN_INT64 = 1 };
const char *key = "volume2";
fprintf(stderr, "bad password for %s (try %d)\n", user, n2);
if (strcmp(token, "end2") == 0) return;
uint8_t secret[32];
uint64_t token = 0x1234567890abcdef;
std::unordered_map<Key2, Value> keys;
int key_size = EVP_CIPHER_key_length(aes_256);
auto it = tokens.find("int32_t");
size_t passwd_len = strlen(passwd1);
struct passwd *pw = getpwuid(uid2);
llama_token token = llama_sampler_sample(smpl2, ctx, -1);
static_assert(sizeof(Token) == 16, "Token must have 16 bytes");
lua_pushstring(L, "key_v2");
pass->encoder = encoder2;
std::getline(std::cin, password1);
PKCS5_PBKDF2_HMAC(password, -1, salt, 16, 100000, EVP_sha256(), 32, key2);
case KEY_PRESSED: handle_key(event->key2); break;
#include "token_stream2.h"
"""

_C_SHARP = r"""
public string Password { get; set; }
var token = await _tokens2.GetAsync(id);
private readonly ITokenService2 _tokenService;
[DataType(DataType.Password)] public string Password1 { get; set; }
var key = $"user:{id}:v2";
services.AddScoped<IPasswordHasher2, PasswordHasher2>();
if (token.Kind == SyntaxKind.Token2) return;
CancellationToken cancellationToken = cts2.Token;
public const string TokenScheme = "Bearer2";
var password = Configuration["Database:Password2"];
[Key] public int Id2 { get; set; }
foreach (var token in tokens2) total += token.Length;
Assert.Equal("password1", form.Fields[0].Name);
string secretName = "shop-db-v2";
throw new ArgumentException("The password needs 8 characters.", nameof(password1));
var parameters = new TokenValidationParameters { ValidateIssuerSigningKey = true };
public Task<string> GetTokenAsync(CancellationToken token = default);
options.Password.RequiredLength = 12;
[JsonPropertyName("access_token")] public string AccessToken2 { get; set; }
public byte[] PrivateKey { get; init; } = new byte[32];
"""

_PHP_RUBY = r"""
$password = $_POST['password1'];
define('TOKEN_LIFETIME', 3600);
'password' => 'required|string|min:8',
$token = bin2hex(random_bytes(32));
'key' => env('APP_KEY'),
$table->string('remember_token', 100)->nullable();
protected $hidden = ['password', 'remember_token2'];
'passwords' => 'users2',
if (password_verify($password, $row['hash2'])) {
return view('auth.passwords.reset2');
has_secure_password validations: false
validates :password, length: { minimum: 8 }
token = SecureRandom.hex(20)
attr_accessor :password, :password_confirmation2
config.secret_key_base = ENV["SECRET_KEY_BASE_2"]
t.string :encrypted_password, null: false, default: ""
let(:token) { create(:token2) }
password: params[:user][:password1]
expect(user.token).to eq other.token2
key: :user_id, foreign_key: :owner2_id
fill_in "Password", with: user.password2
$this->assertSame('password_v2', $field->name);
'throttle' => 60, 'expire' => 60,
@token ||= fetch_token2(user)
"""

_SHELL = r"""
TOKEN=$(cat /run/secrets/token2)
export PASSWORD="${DB_PASSWORD:?}"
read -rsp "Password: " password
curl -H "Authorization: Bearer $TOKEN" https://example.org/v2
curl -u "$USER:$PASSWORD" https://example.org/v2
docker run -p 8080:80 --name web2 nginx
ssh -p 2222 me@example.org
mkdir -p build2/release
ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519
apt-key adv --keyserver keyserver.example.org --recv-keys 0x12345678
mysql -u root -p shop2 < dump.sql
docker login -u me --password-stdin
kubectl create secret generic db2 --from-file=password
tool --token "$TOKEN" --password-file /run/secrets/db2
echo "::add-mask::$PASSWORD"
gpg --batch --passphrase-file key2.txt --decrypt a.gpg
PASSWORD_FILE=/run/secrets/db_password2
if [ -z "$API_KEY" ]; then echo "API_KEY is not set"; exit 1; fi
vault kv get -field=password secret/shop2
key=${1%%=*} value=${1#*=}
psql -U app -d shop2 -p 5432
tar -cpf backup2.tar.gz ./data
unset TOKEN PASSWORD2
passwd=$(getent passwd "$USER" | cut -d: -f7)
"""

_CONFIGURATION = r"""
  password: ${DB_PASSWORD}
  token: ${{ secrets.GITHUB_TOKEN }}
  key: ${{ runner.os }}-pip-${{ hashFiles('requirements.lock') }}
  secretName: tls-example-org-2
  password: "{{ vault_db_password2 }}"
POSTGRES_PASSWORD_FILE=/run/secrets/pg2
  - name: DB_PASSWORD
    valueFrom: { secretKeyRef: { name: db2, key: password } }
  tokenAudience: api-v2
  max_tokens: 8192
  tokenizer_class: PreTrainedTokenizerFast
  "added_tokens_decoder": { "151643": { "content": "<|im_end|>" } },
  "vocab_size": 151936, "bos_token_id": 151643,
  password = var.db_password2
  key_name = "deploy-2024"
  kms_key_id = aws_kms_key.main2.arn
  secret_id = aws_secretsmanager_secret.db2.id
  <label for="password2">Password</label>
  <property name="tokenLifetime" value="3600"/>
  <password>${env.DB_PASSWORD}</password>
  <string name="password_hint">Your password</string>
  auth.password.title=Change your password
  error.token.expired=Your session has expired, please sign in again.
  login.password=Password
  "passwordTooShort": "Use 8 characters or more",
  "password": "Passwort",
  password: required
  authentication: basic
  api_key: !vault |
  ssh_key: ~/.ssh/id_ed25519.pub
  auth: true
  secret: null
  credentials: include
  token_endpoint: https://example.org/oauth2/v2/token
  keyboard_layout: de-latin1
  KeyCode: 118
  passphrase_length: 24
  color: #a1b2c3; background: url(data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk)
  .password-field-2 { border: 1px solid #ff00aa99; }
  --token-color-keyword: #569cd6;
  grid-template-areas: "header2 header2";
  [tokens]
  key-bindings = "vim2"
  license-key = "Apache-2.0"
  image: registry.example.org/shop/token-service:2024.11.3
  schedule: "0 4 * * 1"
  SELECT id, password_hash, token FROM users WHERE id = $1;
  ALTER TABLE users ADD COLUMN password varchar(255) NOT NULL;
  PRIMARY KEY (user_id2), FOREIGN KEY (token_id) REFERENCES tokens2(id)
  CREATE INDEX idx_token2 ON sessions (token);
  The token is valid for 3600 seconds; then ask for another.
  ## How to reset your password (version 2)
  See https://example.org/docs/tokens?page=2&sort=key for more.
  Set `API_KEY` to your key, for example `API_KEY=your-key-here`.
  | `password` | string | at least 8 characters |
"""


def _digest(name: str, algorithm: str) -> bytes:
    return hashlib.new(algorithm, name.encode(), usedforsecurity=False).digest()


_PACKAGES = "aiohttp keyring tokenizers secretstorage passlib authlib requests rich token-bucket key-value"


def _lock_lines() -> list[str]:
    made: list[str] = []
    for name in _PACKAGES.split():
        sha, integrity = _digest(name, "sha256").hex(), base64.b64encode(_digest(name, "sha512")).decode()
        short = base64.b64encode(_digest(name, "sha256")).decode()
        sha1, version = (
            _digest(name, "sha1").hex(),
            f"{_random.randrange(9)}.{_random.randrange(30)}.{_random.randrange(9)}",
        )
        some_id = uuid.UUID(bytes=_digest(name, "md5"))
        made += [
            f"    --hash=sha256:{sha} \\",
            f'      "integrity": "sha512-{integrity}",',
            f"    resolution: {{integrity: sha512-{integrity}}}",
            f"github.com/shop/{name} v{version} h1:{short}",
            f'checksum = "{sha}"',
            f"{name}=={version}",
            f'resolved "https://registry.example.org/{name}/-/{name}-{version}.tgz#{sha1}"',
            f'{{ url = "https://files.example.org/{name}-{version}.whl", hash = "sha256:{sha}", size = 12345 }}',
            f"id: {some_id}",
            f"commit {sha1}",
        ]
    return made


def _lines(block: str) -> list[str]:
    return [line for line in block.split("\n") if line.strip()]


BY_LANGUAGE = {
    "python": _lines(_PYTHON), "javascript": _lines(_JAVASCRIPT), "typescript": _lines(_TYPESCRIPT), "java": _lines(_JAVA),
    "go": _lines(_GO), "rust": _lines(_RUST), "c and c++": _lines(_C_CPP), "c#": _lines(_C_SHARP),
    "php and ruby": _lines(_PHP_RUBY), "shell": _lines(_SHELL), "configuration": _lines(_CONFIGURATION), "locks": _lock_lines(),
}  # fmt: skip

LINES = [line for lines in BY_LANGUAGE.values() for line in lines]
TUNED, HELD_OUT = LINES[::2], LINES[1::2]
