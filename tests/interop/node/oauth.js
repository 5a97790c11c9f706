// npm's oauth4webapi as a program on a person's machine: it knows the API's address and the RFCs.

import * as oauth from "oauth4webapi";
import { asPerson, listen } from "./person.js";

const CLIENT = { client_id: "pidgr-mcp" };
const SCOPE = "campaigns:read members:read";
// The server under test is on this machine and speaks plain HTTP.
const LOCAL = { [oauth.allowInsecureRequests]: true };

/** Find the server, get tokens and lose them in every way there is. */
export async function live({ url, ...argument }) {
  return await asPerson({ url, ...argument }, async (person) => {
    const program = new Program(url, person);
    const outcome = { found: await program.discover() };
    const first = await program.authorize();
    outcome.scope = first.scope;
    outcome.first = await program.call(first);
    const second = await program.refresh(first);
    outcome.rotated = second.refresh_token !== first.refresh_token;
    outcome.second = await program.call(second);
    outcome.reused = await refusal(program.refresh(first));
    outcome.afterReuse = await refusal(program.refresh(second));
    outcome.callAfterReuse = await program.call(second);

    const third = await program.authorize();
    outcome.third = await program.call(third);
    outcome.codeAgain = await refusal(program.exchange());
    outcome.callAfterCodeAgain = await program.call(third);

    const fourth = await program.authorize();
    outcome.wrongVerifier = await refusal(program.exchange(oauth.generateRandomCodeVerifier()));
    await program.revoke(fourth);
    outcome.afterRevocation = await refusal(program.refresh(fourth));
    outcome.callAfterRevocation = await program.call(fourth);
    return outcome;
  });
}

class Program {
  constructor(api, person) {
    this.api = api;
    this.person = person;
  }

  /** Follow RFC 9728 from a refusal of the API to its authorization server, then RFC 8414. */
  async discover() {
    const refused = await this.request();
    const challenge = refused.headers.get("www-authenticate");
    const metadata = new URL(/resource_metadata="([^"]+)"/.exec(challenge)[1]);
    const resourceUrl = new URL(metadata.origin);
    const resource = await oauth.processResourceDiscoveryResponse(
      resourceUrl,
      await oauth.resourceDiscoveryRequest(resourceUrl, LOCAL),
    );
    const issuer = new URL(resource.authorization_servers[0]);
    this.server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { ...LOCAL, algorithm: "oauth2" }),
    );
    this.resource = resource.resource;
    return { status: refused.status, resource: resource.resource, issuer: this.server.issuer };
  }

  /** Send the person to the server and take them back on a port of this machine (RFC 8252). */
  async authorize() {
    const application = await listen();
    this.redirectUri = application.redirectUri;
    this.verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const target = new URL(this.server.authorization_endpoint);
    target.search = new URLSearchParams({
      client_id: CLIENT.client_id,
      redirect_uri: this.redirectUri,
      response_type: "code",
      scope: SCOPE,
      code_challenge: await oauth.calculatePKCECodeChallenge(this.verifier),
      code_challenge_method: "S256",
      resource: this.resource,
      state,
    });
    await this.person.signInByCode(target.href);
    await this.person.send("allow");
    application.server.close();
    const answer = new URL(application.answers[0], this.redirectUri);
    this.answer = oauth.validateAuthResponse(this.server, CLIENT, answer, state);
    return await this.exchange();
  }

  async exchange(verifier = this.verifier) {
    const response = await oauth.authorizationCodeGrantRequest(
      this.server,
      CLIENT,
      oauth.None(),
      this.answer,
      this.redirectUri,
      verifier,
      LOCAL,
    );
    return await oauth.processAuthorizationCodeResponse(this.server, CLIENT, response);
  }

  async refresh(tokens) {
    const response = await oauth.refreshTokenGrantRequest(
      this.server,
      CLIENT,
      oauth.None(),
      tokens.refresh_token,
      LOCAL,
    );
    return await oauth.processRefreshTokenResponse(this.server, CLIENT, response);
  }

  async revoke(tokens) {
    const response = await oauth.revocationRequest(
      this.server,
      CLIENT,
      oauth.None(),
      tokens.refresh_token,
      LOCAL,
    );
    await oauth.processRevocationResponse(response);
  }

  /** Call the API for the person; return the HTTP status. */
  async call(tokens) {
    return (await this.request({ authorization: `Bearer ${tokens.access_token}` })).status;
  }

  request(headers = {}) {
    return fetch(`${this.api}/pidgr.v1.CampaignService/ListCampaigns`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: "{}",
    });
  }
}

/** Return the error of RFC 6749 5.2 that something is refused with. */
async function refusal(attempt) {
  try {
    await attempt;
    return "none";
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError) return error.error;
    throw error;
  }
}
