"""200 made-up secrets of 40 kinds in the places where they stand in real files, five of each kind.

No scanner is to find any of them in this file, so prefixes are parts.
"""

from __future__ import annotations

import base64
import string

from tests.retrieval.secret_makers import (
    ALNUM,
    HEX,
    LOWER,
    Template,
    aws,
    b64,
    begin,
    case,
    end,
    jwt,
    pair,
    password,
    pem_lines,
    phrase,
    some,
    typed,
)  # fmt: skip

_KINDS: dict[str, tuple[Template, Template, Template, Template, Template]] = {
    "assigned in code": (
        ("DB_PASSWORD = \"{}\"", password),
        ("let apiSecret = '{}';", lambda: some(24)),
        ("const clientSecret = `{}`;", lambda: some(32)),
        ("  $this->password = '{}';", password),
        ("auth_token := \"{}\"", lambda: some(40, HEX)),
    ),
    "typed by people": (
        ("password = \"{}\"", typed),
        ("    pwd: '{}',", typed),
        ("String dbPassword = \"{}\";", typed),
        ("admin_pass = '{}'", typed),
        ("$password = \"{}\";", typed),
    ),
    "pass phrase": (
        ("passphrase = \"{}\"", phrase),
        ("ssh_passphrase: '{}'", lambda: phrase("-", 5)),
        ("const password = \"{}\";", lambda: phrase("", 4)),
        ("passphrase: {}", phrase),
        ("master_password = '{}'", lambda: phrase(".", 4)),
    ),
    "aws credentials": (
        ("[default]¶aws_secret_access_key = {}", aws),
        ("aws_session_token={}", lambda: b64(150)),
        ("  secret_access_key: {}", aws),
        ("export AWS_SECRET_ACCESS_KEY={}", aws),
        ("secretAccessKey: '{}',", aws),
    ),
    "aws key id": (
        ("aws_access_key_id = {}", lambda: "AK" + "IA" + some(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
        ("new BasicAWSCredentials(\"{}\", secret)", lambda: "AK" + "IA" + some(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
        ("# old: {}", lambda: "AS" + "IA" + some(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
        ("AWS_BEARER_TOKEN_BEDROCK={}", lambda: "AB" + "SK" + b64(90)),
        ("s3://{}:x@bucket", lambda: "AK" + "IA" + some(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
    ),
    "yaml": (
        ("spring:¶  datasource:¶    password: {}", password),
        ("  api_token: {}  # rotate", lambda: some(32)),
        ("- name: db¶  db_password: {}", typed),
        ("    client-secret: {}", lambda: some(36)),
        ("password: |¶  {}", password),
    ),
    "kubeconfig": (
        ("    client-key-data: {}", lambda: base64.b64encode((begin() + "\n" + b64(90)).encode()).decode()),
        ("users:¶- name: a¶  user:¶    token: {}", lambda: some(48)),
        ("    password: {}¶    username: admin", lambda: some(20)),
        ("      id-token: {}", jwt),
        ("      refresh-token: {}", lambda: some(64, HEX)),
    ),
    "kubernetes": (
        ("kind: Secret¶data:¶  password: {}", lambda: b64(15)),
        ("        - name: DB_PASSWORD¶          value: {}", password),
        ("stringData:¶  api-key: {}", lambda: some(28)),
        ("        - name: JWT_SECRET¶          value: \"{}\"", lambda: some(32)),
        ("data:¶  tls.key: {}", lambda: base64.b64encode((begin("") + "\n" + b64(90)).encode()).decode()),
    ),
    "properties": (
        ("spring.datasource.password={}", password),
        ("jdbc.password = {}", password),
        ("keystore.password={}", typed),
        ("security.oauth2.client.client-secret={}", lambda: some(30)),
        ("mail.smtp.pass={}", password),
    ),
    "dotenv": (
        ("SECRET_KEY={}", lambda: some(50, ALNUM + "!@%^&*(-_=+)")),
        ("DATABASE_PASSWORD='{}'", password),
        ("STRIPE_WEBHOOK_SECRET=\"{}\"", lambda: some(32)),
        ("APP_KEY=base64:{}", lambda: b64(32)),
        ("export MY_API_KEY={}", lambda: some(32, HEX)),
    ),
    "npmrc": (
        ("//registry.npmjs.org/:_authToken={}", lambda: "np" + "m_" + some(36)),
        ("_auth={}", pair),
        ("//npm.pkg.github.com/:_authToken={}", lambda: some(40, HEX)),
        ("//registry.example.org/:_password={}", lambda: b64(15)),
        ("_auth = \"{}\"", pair),
    ),
    "docker": (
        ("{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"{}\"}}}", pair),
        ("      \"auth\": \"{}\"", pair),
        ("ENV POSTGRES_PASSWORD {}", password),
        ("      - MYSQL_ROOT_PASSWORD={}", password),
        ("docker login -u me -p {} registry.example.org", password),
    ),
    "netrc": (
        ("machine api.example.org login me password {}", password),
        ("machine github.com¶  login me¶  password {}", lambda: some(24)),
        ("default login anonymous password {}", typed),
        ("machine a.example.org¶\tlogin me¶\taccount x¶\tpassword {}¶machine b", lambda: some(18)),
        ("machine ftp.example.org login me password {} macdef init", lambda: some(16)),
    ),
    "pgpass": (
        ("db.example.org:5432:shop:app:{}", password),
        ("*:*:*:postgres:{}", lambda: some(20)),
        ("localhost:5433:*:me:{}", typed),
        ("PGPASSWORD={} psql -h db", password),
        ("127.0.0.1:5432:shop:app:{}¶db2:5432:shop:app:x", lambda: some(16)),
    ),
    "jdbc": (
        ("jdbc:postgresql://db:5432/shop?user=app&password={}", lambda: some(16)),
        ("url = \"jdbc:mysql://db/shop?user=app&password={}&useSSL=false\"", lambda: some(12)),
        ("jdbc:sqlserver://db:1433;databaseName=x;user=sa;password={};", password),
        ("jdbc:oracle:thin:app/{}@db:1521/x", lambda: some(14)),
        ("\"jdbc:db2://db:50000/x:user=app;password={};\"", typed),
    ),
    "ado.net": (
        ("Server=db;Database=x;User Id=sa;Password={};", password),
        ("\"Data Source=db;Initial Catalog=x;uid=sa;pwd={};Encrypt=no\"", lambda: some(12)),
        ("<add connectionString=\"Server=db;User=sa;Password={}\" />", typed),
        ("\"Default\": \"Host=db;Username=app;Password={}\"", lambda: phrase("", 2)),
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x", lambda: b64(64)),
    ),
    "database address": (
        ("DATABASE_URL=postgres://app:{}@db:5432/shop", lambda: some(16)),
        ("mongodb+srv://app:{}@cluster0.example.net/x", lambda: some(18)),
        ("redis://:{}@cache:6379/0", lambda: some(20)),
        ("amqp://guest:{}@mq/vhost", lambda: password(12, "!*_-")),
        ("dsn := \"app:{}@tcp(db:3306)/shop\"", lambda: some(16)),
    ),
    "web address": (
        ("git clone https://me:{}@git.example.org/a.git", lambda: some(20)),
        ("https://x-access-token:{}@github.com/a/b", lambda: "gh" + "s_" + some(36)),
        ("SENTRY_DSN=https://{}@o1.ingest.example.io/2", lambda: some(32, HEX)),
        ("fetch(`https://api.example.org/v1?api_key={}`)", lambda: some(32)),
        ("https://example.blob.core.windows.net/c?sv=2024&sig={}", lambda: b64(32).replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")),
    ),
    "call": (
        ("config.setPassword(\"{}\");", password),
        (".withApiKey(\"{}\")", lambda: some(32)),
        ("ds.setDataSourcePassword( \"{}\" );", typed),
        ("builder.password('{}')", password),
        ("client.set_token(\"{}\")", lambda: some(30)),
    ),
    "name and value": (
        ("define('DB_PASSWORD', '{}');", password),
        ("os.environ[\"API_TOKEN\"] = \"{}\"", lambda: some(32)),
        ("setenv(\"SECRET_KEY\", \"{}\", 1);", lambda: some(30)),
        ("props.put(\"password\", \"{}\");", password),
        ("os.getenv(\"DB_PASSWORD\", \"{}\")", typed),
    ),
    "user and password": (
        ("requests.get(url, auth=(\"me\", \"{}\"))", password),
        ("new NetworkCredential(\"me\", \"{}\")", password),
        ("DriverManager.getConnection(url, \"app\", \"{}\")", password),
        ("smtp.login(\"me@example.org\", \"{}\")", lambda: some(16, LOWER)),
        ("http.basicAuth('me', '{}')", lambda: some(20)),
    ),
    "c sharp": (
        ("string password = @\"{}\";", password),
        ("const string ApiKey = \"{}\";", lambda: some(32)),
        ("options.ClientSecret = $\"{}\";", lambda: some(34)),
        ("public string Password { get; set; } = \"{}\";", password),
        ("[\"Jwt:SecretKey\"] = \"{}\",", lambda: some(40)),
    ),
    "rust and go": (
        ("const TOKEN: &'static str = \"{}\";", lambda: some(32)),
        ("static API_KEY: &str = \"{}\";", lambda: some(28)),
        ("password: Some(\"{}\".to_string()),", password),
        ("const apiKey string = \"{}\"", lambda: some(36)),
        ("let secret = String::from(\"{}\");", lambda: some(24)),
    ),
    "swift, kotlin, c": (
        ("let apiKey: String = \"{}\"", lambda: some(32)),
        ("val password: String? = \"{}\"", password),
        ("char password[] = \"{}\";", password),
        ("#define WIFI_PASSWORD \"{}\"", password),
        ("NSString *token = @\"{}\";", lambda: some(32)),
    ),
    "terraform": (
        ("  password = \"{}\"", password),
        ("variable \"db_password\" {¶  type    = string¶  default = \"{}\"¶}", password),
        ("  secret_key = \"{}\"", aws),
        ("  secret_string = \"{}\"", lambda: some(24)),
        ("  master_password      = \"{}\"", typed),
    ),
    "xml": (
        ("<password>{}</password>", password),
        ("<property name=\"hibernate.connection.password\" value=\"{}\"/>", password),
        ("<add key=\"ApiKey\" value=\"{}\" />", lambda: some(32)),
        ("<string name=\"google_maps_key\">{}</string>", lambda: "AI" + "za" + some(35)),
        ("<user name=\"me\" password=\"{}\" roles=\"admin\"/>", typed),
    ),
    "more xml": (
        ("    <privateKey>{}</privateKey>", lambda: b64(33)),
        ("<entry key=\"db.password\">{}</entry>", password),
        ("<key>clientSecret</key>¶<string>{}</string>", lambda: some(36)),
        ("<bean p:username=\"a\" p:password=\"{}\"/>", password),
        ("<add key=\"ClearTextPassword\" value=\"{}\" />", lambda: some(24)),
    ),
    "json": (
        ("  \"password\": \"{}\",", password),
        ("{\"user\":\"a\",\"accessToken\":\"{}\"}", lambda: some(40)),
        ("  \"client_secret\": \"{}\"", lambda: some(24) + "-" + some(6)),
        ("  \"private_key_id\": 1, \"secretKey\": \"{}\"", lambda: some(40, HEX)),
        ("{\"name\": \"API_TOKEN\", \"value\": \"{}\"}", lambda: some(32)),
    ),
    "escaped quotes": (
        ("body = \"{\\\"password\\\": \\\"{}\\\"}\"", password),
        ("'{\"token\":\"{}\"}'", lambda: some(32)),
        ("password = \"a\\\"{}\"", password),
        ("echo \"api_key=\\\"{}\\\"\" >> .env", lambda: some(32)),
        ("\"{\\\"client_secret\\\":\\\"{}\\\",\\\"a\\\":1}\"", lambda: some(32)),
    ),
    "database command": (
        ("mysql -u root -p{} shop", password),
        ("mysqldump --password={} shop > a.sql", password),
        ("redis-cli -h cache -a {} ping", lambda: some(20)),
        ("sqlcmd -S db -U sa -P {} -Q 'x'", password),
        ("CREATE USER app WITH PASSWORD '{}';", password),
    ),
    "curl": (
        ("curl -u me:{} https://example.org", password),
        ("curl --user 'me:{}' https://example.org", password),
        ("curl -H 'Authorization: Bearer {}' https://example.org", lambda: some(40)),
        ("curl -H \"X-Api-Key: {}\" https://example.org", lambda: some(32)),
        ("curl -su 'me:{}' -X POST https://example.org", lambda: some(16)),
    ),
    "options": (
        ("tool --token {} run", lambda: some(32)),
        ("tool --api-key={}", lambda: some(32)),
        ("sshpass -p '{}' ssh me@host", password),
        ("[\"tool\", \"--password\", \"{}\"]", password),
        ("java -Djavax.net.ssl.keyStorePassword={} -jar a.jar", typed),
    ),
    "headers": (
        ("headers = {'Authorization': 'Token {}'}", lambda: some(40, HEX)),
        ("Authorization: Basic {}", pair),
        ("req.Header.Set(\"Authorization\", \"Bearer {}\")", lambda: some(48)),
        ("\"X-Auth-Token\": \"{}\",", lambda: some(32)),
        ("PRIVATE-TOKEN: {}", lambda: some(26)),
    ),
    "private key": (
        (begin() + "¶{}¶" + end(), pem_lines),
        (begin("OPENSSH ") + "¶{}¶", lambda: pem_lines(3)),
        ("x = 1¶{}¶" + end("EC ") + "¶", lambda: pem_lines(2)),
        ("key = \"" + begin("") + "\\n{}\\n" + end("") + "\\n\"", lambda: b64(48)),
        ("PrivateKey = {}", lambda: b64(32)),
    ),
    "jwt": (
        ("const t = \"{}\"", jwt),
        ("Cookie: session={}", jwt),
        ("https://example.org/login?jwt={}", jwt),
        ("# {}", jwt),
        ("SUPABASE_KEY={}", jwt),
    ),
    "github and gitlab": (
        ("t = '{}'", lambda: "gh" + "p_" + some(36)),
        ("- {}", lambda: "github" + "_pat_" + some(22) + "_" + some(59)),
        ("x({})", lambda: "gl" + "pat-" + some(20)),
        ("run: echo {} | cat", lambda: "gl" + "rt-" + some(20)),
        ("ci: \"{}\"", lambda: "gl" + "cbt-64_" + some(20)),
    ),
    "money and messages": (
        ("stripe.api = '{}'", lambda: "sk" + "_live_" + some(24)),
        ("Twilio('AC0', '{}')", lambda: "S" + "K" + some(32, HEX)),
        ("mail('{}')", lambda: "S" + "G." + some(22) + "." + some(43)),
        ("bot = Bot('{}')", lambda: some(10, "123456789") + ":A" + "A" + some(33)),
        ("slack('{}')", lambda: "xox" + "b-" + some(12, "123456789") + "-" + some(12, "123456789") + "-" + some(24)),
    ),
    "models": (
        ("client = A('{}')", lambda: "s" + "k-ant-api03-" + some(93, ALNUM + "_-") + "AA"),
        ("o = O('{}')", lambda: "s" + "k-proj-" + some(120, ALNUM + "_-")),
        ("login('{}')", lambda: "h" + "f_" + some(34, string.ascii_letters)),
        ("g = Groq('{}')", lambda: "gs" + "k_" + some(52)),
        ("r = R('{}')", lambda: "r" + "8_" + some(37)),
    ),
    "clouds": (
        ("do = '{}'", lambda: "do" + "p_v1_" + some(64, HEX)),
        ("maps('{}')", lambda: "AI" + "za" + some(35, ALNUM + "-_")),
        ("az = '{}'", lambda: some(3) + "8" + "Q~" + some(34)),
        ("vault('{}')", lambda: "hv" + "s." + some(95)),
        ("pulumi('{}')", lambda: "pu" + "l-" + some(40, HEX)),
    ),
    "registries and others": (
        ("password = {}", lambda: "py" + "pi-AgEIcHlwaS5vcmc" + some(90)),
        ("gem('{}')", lambda: "ruby" + "gems_" + some(48, HEX)),
        ("shop('{}')", lambda: "shp" + "at_" + some(32, HEX)),
        ("http://x/{}", lambda: "lin" + "_api_" + some(40)),
        ("admin:{}", lambda: "$2" + "b$12$" + some(53)),
    ),
}  # fmt: skip
"""By kind five places each."""

CASES = [
    case(f"{kind} {number + 1}", template)
    for kind, templates in _KINDS.items()
    for number, template in enumerate(templates)
]
TUNED, HELD_OUT = CASES[::2], CASES[1::2]
"""The rules were first tuned on one half only; see docs/decisions/0010 for what they caught of the other."""
