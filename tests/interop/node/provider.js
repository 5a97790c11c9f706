// An OpenID provider that we did not write: `node provider.js '{"redirectUri": ...}'` prints its URL.
// Whoever signs in with an address is that address; its sign-in pages are the package's own.

import { createServer } from "node:http";
import Provider from "oidc-provider";

const { redirectUri, clientSecret, emailInIdToken } = JSON.parse(process.argv[2]);

const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "pidgr",
      client_secret: clientSecret,
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["given_name", "family_name"],
  },
  conformIdTokenClaims: !emailInIdToken,
  pkce: { required: () => true },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: id,
      email_verified: true,
      given_name: "Ada",
      family_name: "Lovelace",
    }),
  }),
});
server.on("request", provider.callback());
process.stdout.write(`${issuer}\n`);
