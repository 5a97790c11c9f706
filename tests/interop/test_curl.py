"""curl, as the documentation shows it: Connect by hand, plain pages, both HTTP versions."""

import base64
import gzip
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.grpc_client import Organization, Stubs
from support.running import Installation

CREATE_TEAM = "/pidgr.v1.TeamService/CreateTeam"
LIST_TEAMS = "/pidgr.v1.TeamService/ListTeams"
GET_CAMPAIGN = "/pidgr.v1.CampaignService/GetCampaign"


@dataclass(frozen=True)
class Answer:
    version: str
    status: int
    headers: dict[str, str]
    body: bytes


class Curl:
    """Runs curl against one server as one organization."""

    def __init__(self, url: str, key: str, scratch: Path, *options: str) -> None:
        self.url = url
        self.key = key
        self.scratch = scratch
        self.options = options

    def __call__(self, path: str, *arguments: str, data: bytes | None = None) -> Answer:
        command = ["curl", "--silent", "--show-error", "--max-time", "30", *self.options]
        command += ["--dump-header", str(self.scratch / "head"), *arguments]
        command += ["--header", f"Authorization: Bearer {self.key}"]
        if data is not None:
            (self.scratch / "data").write_bytes(data)
            command += ["--data-binary", f"@{self.scratch / 'data'}"]
        run = subprocess.run([*command, self.url + path], check=True, capture_output=True)
        first, *lines = (self.scratch / "head").read_text().strip().splitlines()
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        version, status = first.split()[:2]
        return Answer(version, int(status), headers, run.stdout)

    def json(self, path: str, text: str, *arguments: str) -> Answer:
        return self(
            path, "--header", "Content-Type: application/json", *arguments, data=text.encode()
        )


VERSIONS = {"HTTP/1.1": "--http1.1", "HTTP/2": "--http2-prior-knowledge"}


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    asked: str = request.param
    return asked


@pytest.fixture
def curl(server: Installation, organization: Organization, version: str, tmp_path: Path) -> Curl:
    return Curl(server.url, organization.api_key, tmp_path, VERSIONS[version])


def names(answer: Answer) -> list[str]:
    return [team["name"] for team in json.loads(answer.body)["teams"]]


def test_json_is_posted_and_answered(curl: Curl, version: str) -> None:
    created = curl.json(CREATE_TEAM, '{"name": "People team"}')
    assert (created.version, created.status) == (version, 200)
    assert created.headers["content-type"] == "application/json"
    assert json.loads(created.body)["team"]["name"] == "People team"


def test_reads_are_http_gets(curl: Curl, stubs: Stubs) -> None:
    curl.json(CREATE_TEAM, '{"name": "People team"}')
    query = ("--get", "--data-urlencode", "encoding=json", "--data-urlencode")
    answer = curl(LIST_TEAMS, *query, 'message={"pagination": {"pageSize": 10}}')
    assert answer.status == 200
    assert "People team" in names(answer)
    request = stubs.ListTeamsRequest(pagination=stubs.Pagination(page_size=10))
    encoded = base64.urlsafe_b64encode(request.SerializeToString()).decode().rstrip("=")
    answer = curl(f"{LIST_TEAMS}?connect=v1&encoding=proto&base64=1&message={encoded}")
    assert answer.headers["content-type"] == "application/proto"
    teams = stubs.ListTeamsResponse.FromString(answer.body).teams
    assert "People team" in [team.name for team in teams]


def test_binary_messages_are_posted_and_answered(curl: Curl, stubs: Stubs) -> None:
    request = stubs.CreateTeamRequest(name="Binary team").SerializeToString()
    answer = curl(CREATE_TEAM, "--header", "Content-Type: application/proto", data=request)
    assert answer.headers["content-type"] == "application/proto"
    assert stubs.CreateTeamResponse.FromString(answer.body).team.name == "Binary team"


def test_errors_are_json_that_a_person_can_read(curl: Curl) -> None:
    answer = curl.json(GET_CAMPAIGN, '{"campaignId": "42"}')
    assert answer.status == 400
    error = json.loads(answer.body)
    assert error["code"] == "invalid_argument"
    assert error["message"].startswith("campaign_id: ")
    info, request = (detail["debug"] for detail in error["details"])
    assert info == {"reason": "INVALID_ARGUMENT", "domain": "pidgr.v1"}
    assert [violation["field"] for violation in request["fieldViolations"]] == ["campaign_id"]


def test_a_refused_call_says_when_to_try_again(
    limited_server: Installation, tmp_path: Path, version: str
) -> None:
    key = limited_server.found().api_key
    curl = Curl(limited_server.url, key, tmp_path, VERSIONS[version])
    for _ in range(5):
        assert curl.json(LIST_TEAMS, "{}").status == 200
    refused = curl.json(LIST_TEAMS, "{}")
    assert refused.status == 429
    assert 15 <= int(refused.headers["retry-after"]) <= 20
    error = json.loads(refused.body)
    assert error["code"] == "resource_exhausted"
    assert [detail["type"] for detail in error["details"]] == [
        "google.rpc.ErrorInfo",
        "google.rpc.RetryInfo",
    ]


def test_gzip_goes_both_ways(curl: Curl) -> None:
    body = "Please read it. " * 500
    request = json.dumps({"name": "Policy", "title": "Policy", "body": body}).encode()
    headers = ("Content-Type: application/json", "Content-Encoding: gzip", "Accept-Encoding: gzip")
    arguments = [argument for header in headers for argument in ("--header", header)]
    path = "/pidgr.v1.TemplateService/CreateTemplate"
    answer = curl(path, *arguments, data=gzip.compress(request))
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < 1000
    assert json.loads(gzip.decompress(answer.body))["template"]["body"] == body


def test_the_plain_pages_answer(curl: Curl) -> None:
    assert json.loads(curl("/healthz").body) == {"status": "ok"}
    assert json.loads(curl("/readyz").body) == {"status": "ready"}
    curl.json(LIST_TEAMS, "{}")
    metrics = curl("/metrics").body.decode()
    assert 'pidgr_rpc_requests_total{code="ok",method="TeamService/ListTeams"}' in metrics
    keys = curl("/.well-known/jwks.json")
    assert keys.headers["content-type"] == "application/json"
    (key,) = json.loads(keys.body)["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert "d" not in key
    assert curl("/nothing").status == 404


def test_a_page_of_another_origin_may_ask_first(curl: Curl) -> None:
    asked = "authorization,connect-protocol-version,content-type,x-grpc-web,x-user-agent"
    answer = curl(
        CREATE_TEAM,
        *("--request", "OPTIONS"),
        *("--header", "Origin: https://intranet.example"),
        *("--header", "Access-Control-Request-Method: POST"),
        *("--header", f"Access-Control-Request-Headers: {asked}"),
    )
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] in {"*", "https://intranet.example"}
    allowed = answer.headers["access-control-allow-headers"].replace(" ", "").split(",")
    assert set(asked.split(",")) <= {name.lower() for name in allowed}
