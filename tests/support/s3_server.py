"""An S3 server of its own process (moto's), which checks signatures and permissions."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import httpx

from support.waiting import until

_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


@dataclass(frozen=True)
class S3Server:
    endpoint: str
    bucket: str
    access_key_id: str
    secret_access_key: str

    @property
    def settings(self) -> dict[str, Any]:
        """What an operator would set."""
        return {
            "blob_url": f"s3://{self.bucket}/pidgr",
            "s3_endpoint": self.endpoint,
            "s3_access_key_id": self.access_key_id,
            "s3_secret_access_key": self.secret_access_key,
        }

    def client(self, kind: str = "s3") -> Any:
        """A client that is not ours."""
        return _client(kind, self.endpoint, self.access_key_id, self.secret_access_key)


def _client(kind: str, endpoint: str, key: str, secret: str) -> Any:
    return boto3.client(
        kind,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """Serve a bucket and a user who may use it; everybody else is refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MOTO_PORT": str(port)},
    )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        until(lambda: _answers(f"{endpoint}/moto-api/data.json"), seconds=60)
        _client("s3", endpoint, "anyone", "anything").create_bucket(Bucket="files")
        iam = _client("iam", endpoint, "anyone", "anything")
        iam.create_user(UserName="pidgr")
        iam.put_user_policy(UserName="pidgr", PolicyName="s3", PolicyDocument=json.dumps(_POLICY))
        key = iam.create_access_key(UserName="pidgr")["AccessKey"]
        # From here on every request needs a right signature.
        httpx.post(f"{endpoint}/moto-api/reset-auth", content=b"0").raise_for_status()
        yield S3Server(endpoint, "files", key["AccessKeyId"], key["SecretAccessKey"])
    finally:
        process.terminate()
        process.wait(timeout=30)
