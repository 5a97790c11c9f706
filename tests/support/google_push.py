"""What Google hands out to push through FCM, and what FCM says of a token that is gone."""

import json

from joserfc.jwk import RSAKey

UNREGISTERED = {
    "error": {
        "status": "NOT_FOUND",
        "details": [
            {
                "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
                "errorCode": "UNREGISTERED",
            }
        ],
    }
}


def service_account(url: str) -> str:
    """Return the key file of an account whose token server is at a URL."""
    account = {
        "project_id": "acme",
        "client_email": "push@acme.example",
        "token_uri": f"{url}/token",
        "private_key": RSAKey.generate_key(2048).as_pem(private=True).decode(),
    }
    return json.dumps(account)
